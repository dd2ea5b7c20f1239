// ObjectBuilder: plans a packed object (format.h) from stored batches. A pure function of what it
// is given: no I/O, no clock, and no copy of a batch. It reads every batch whose checksum it is not
// told (several GB/s), so build() belongs on a thread that may take a few milliseconds.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <topicfs/result.h>

#include "object/format.h"

namespace topicfs {

/// A batch as the log or another object has it.
struct StoredBatch {
  PartitionId partition{};
  Offset base_offset{}, end_offset{};  ///< end: one behind the last record's offset
  TextPosition text_position{};
  uint64_t text_length = 0;
  int64_t first_timestamp = -1, max_timestamp = -1;
  uint32_t flags = 0;  ///< kept and given back, nothing else
};

/// What to put(), and its index.
struct BuiltObject {
  std::vector<ByteSpan> pieces;  ///< of the caller's batches and of `own`, in order
  std::unique_ptr<std::byte[]> own;
  uint64_t size = 0;
  Footer footer;
};

class ObjectBuilder {
 public:
  explicit ObjectBuilder(ObjectFacts facts) : facts_(facts) {}

  /// Name a partition; once for each that has a batch, in any order.
  void name_partition(PartitionId id, const Uuid& topic, std::string_view topic_name, int32_t index);
  /// In any order. `pieces` are the batch's bytes, one behind the other; they must stay and not
  /// change until the object is put. `crc`: theirs, where it is known.
  void add(const StoredBatch& batch, std::span<const ByteSpan> pieces, std::optional<uint32_t> crc = {});

  size_t batches() const { return batches_.size(); }
  uint64_t payload_bytes() const { return payload_bytes_; }

  /// kInvalidArgument: no batch, one of an unnamed partition, or two that overlap. kTooLarge:
  /// a batch beyond kMaxBlockBytes, or a footer beyond kMaxFooterBytes. Once.
  Result<BuiltObject> build();

 private:
  struct Batch {
    StoredBatch facts;
    size_t first_piece = 0, pieces = 0;
    uint64_t size = 0;
    std::optional<uint32_t> crc;
  };
  struct Block {
    size_t first = 0, count = 0;  // of batches_
  };
  Result<void> sort_and_check();
  Result<std::vector<Block>> cut_into_blocks() const;
  Result<void> make_names(Footer& footer) const;
  BlockEntry write_block(const Block& block, uint64_t position, MutableByteSpan index,
                         std::vector<ByteSpan>& out) const;

  struct Name {
    Uuid topic;
    std::string topic_name;
    int32_t index;
    PartitionId id;
  };
  const ObjectFacts facts_;
  std::vector<Name> names_;
  std::vector<Batch> batches_;
  std::vector<ByteSpan> pieces_;
  uint64_t payload_bytes_ = 0;
};

}  // namespace topicfs
