// Objects made of random batches, and a model of what is in them.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "codec/crc32c.h"
#include "object/block_reader.h"
#include "object/object_builder.h"

namespace topicfs {

struct ModelBatch {
  StoredBatch facts;
  std::string bytes;
};

/// Batches of a few partitions, in the order of a log; sizes up to `max_size`, some gaps.
struct Model {
  std::mt19937_64 random;
  std::deque<ModelBatch> batches;  // their bytes stay where they are
  ObjectFacts facts{.store = uuid(7), .epoch = 3, .sequence = 9, .log_from = 100, .log_to = 90'000,
                    .created = WallMilliseconds(1'700'000'000'123)};

  explicit Model(uint64_t seed, int count, size_t max_size, uint32_t partitions) : random(seed) {
    std::vector<Offset> ends(partitions);
    std::vector<TextPosition> text_ends(partitions);
    for (int i = 0; i < count; i++) {
      auto p = static_cast<uint32_t>(random() % partitions);
      ModelBatch b;
      b.facts.partition = PartitionId(p + 1);
      b.facts.base_offset = ends[p] + static_cast<int64_t>(random() % 4 == 0 ? random() % 5 : 0);
      b.facts.end_offset = ends[p] = b.facts.base_offset + static_cast<int64_t>(1 + random() % 20);
      b.facts.text_position = text_ends[p] + static_cast<int64_t>(random() % 8 == 0 ? random() % 50 : 0);
      b.facts.text_length = random() % 6 == 0 ? 0 : random() % (2 * max_size);
      text_ends[p] = b.facts.text_position + static_cast<int64_t>(b.facts.text_length);
      b.facts.first_timestamp = i * 10;
      b.facts.max_timestamp = i * 10 + static_cast<int64_t>(random() % 30);
      b.facts.flags = static_cast<uint32_t>(random() % 4);
      b.bytes.resize(1 + random() % max_size);
      for (char& c : b.bytes) c = static_cast<char>(random());
      batches.push_back(std::move(b));
    }
  }
  static Uuid uuid(uint8_t n) {
    Uuid id;
    id.bytes.fill(n);
    return id;
  }
  /// Two partitions a topic, "t0" and so on; named as the engine would, before or after the batches.
  BuiltObject build() {
    ObjectBuilder builder(facts);
    std::vector<uint32_t> named;
    for (const auto& b : batches) {
      auto id = b.facts.partition.v;
      if (std::find(named.begin(), named.end(), id) == named.end()) {
        named.push_back(id);
        builder.name_partition(b.facts.partition, uuid(static_cast<uint8_t>(200 - id / 2)),
                               "t" + std::to_string(id / 2), static_cast<int32_t>(id % 2));
      }
      ByteSpan bytes = as_byte_span(b.bytes);
      size_t cut = random() % bytes.size();
      ByteSpan pieces[] = {bytes.first(cut), bytes.subspan(cut)};
      std::optional<uint32_t> crc;
      if (random() % 2 == 0) crc = crc32c(bytes);
      builder.add(b.facts, pieces, crc);
    }
    auto object = builder.build();
    REQUIRE(object);
    return std::move(*object);
  }
  /// The batches of a partition, ascending.
  std::vector<const ModelBatch*> of(PartitionId partition) const {
    std::vector<const ModelBatch*> found;
    for (const auto& b : batches) {
      if (b.facts.partition == partition) found.push_back(&b);
    }
    return found;
  }
};

inline std::string joined(const std::vector<ByteSpan>& pieces) {
  std::string all;
  for (ByteSpan piece : pieces) all += as_text(piece);
  return all;
}

inline void check_same(const BatchView& view, const ModelBatch& model) {
  CHECK(view.base_offset == model.facts.base_offset);
  CHECK(view.end_offset == model.facts.end_offset);
  CHECK(view.text_position == model.facts.text_position);
  CHECK(view.text_length == model.facts.text_length);
  CHECK(view.flags == model.facts.flags);
  CHECK(as_text(view.bytes) == model.bytes);
}

}  // namespace topicfs
