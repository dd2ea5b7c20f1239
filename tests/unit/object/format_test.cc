#include "object/format.h"

#include <doctest/doctest.h>

#include "codec/crc32c.h"
#include "unit/object/objects.h"

using namespace topicfs;

namespace {

Result<Footer> parse_object(std::string_view object) {
  ByteSpan bytes = as_byte_span(object);
  if (bytes.size() < kTrailerBytes) return fail(Errc::kCorrupt, "short");
  TRY_ASSIGN(Trailer trailer, Trailer::parse(bytes.last(kTrailerBytes), bytes.size()));
  return Footer::parse(bytes.subspan(trailer.footer_position, trailer.footer_size), trailer);
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (char c : bytes) text += kDigits[static_cast<uint8_t>(c) >> 4], text += kDigits[c & 15];
  return text;
}

}  // namespace

TEST_CASE("an object gives back every batch with both coordinates, and its footer says where") {
  for (uint64_t seed = 1; seed <= 8; seed++) {
    INFO("seed " << seed);
    Model model(seed, 400, seed % 2 ? 20'000 : 300, 7);
    BuiltObject built = model.build();
    std::string object = joined(built.pieces);
    REQUIRE(object.size() == built.size);
    REQUIRE(*parse_object_header(as_byte_span(object)) == model.facts.store);
    auto footer = parse_object(object);
    REQUIRE(footer);
    CHECK(footer->facts == model.facts);
    CHECK(footer->blocks == built.footer.blocks);
    CHECK(footer->topics == built.footer.topics);
    CHECK(footer->partitions == built.footer.partitions);
    CHECK(footer->crc == built.footer.crc);
    CHECK(footer->object_size == object.size());
    for (uint32_t p = 1; p <= 7; p++) {
      const PartitionName* name = footer->find(PartitionId(p));
      REQUIRE(name);
      CHECK(footer->topics[name->topic].name == "t" + std::to_string(p / 2));
      CHECK(name->index == static_cast<int32_t>(p % 2));
      auto expected = model.of(PartitionId(p));
      size_t next = 0;
      int64_t max_timestamp = -1;
      for (const BlockEntry& entry : footer->blocks_of(PartitionId(p))) {
        auto block = BlockReader::open(entry, as_byte_span(object).subspan(entry.position, entry.size));
        REQUIRE(block);
        CHECK(entry.size <= kBlockPayloadMax + kBlockHeaderBytes + block->size() * kBatchEntryBytes);
        CHECK(entry.first_timestamp == expected[next]->facts.first_timestamp);
        max_timestamp = -1;
        for (size_t i = 0; i < block->size(); i++, next++) {
          check_same((*block)[i], *expected.at(next));
          max_timestamp = std::max(max_timestamp, expected[next]->facts.max_timestamp);
        }
        CHECK(entry.max_timestamp == max_timestamp);
      }
      CHECK(next == expected.size());
    }
    CHECK_FALSE(footer->find(PartitionId(8)));
    CHECK(footer->blocks_of(PartitionId(8)).empty());
  }
}

TEST_CASE("a batch larger than a block has a block of its own") {
  ObjectBuilder builder({});
  builder.name_partition(PartitionId(1), Model::uuid(1), "t", 0);
  std::string small(1000, 's'), huge(3 << 20, 'h');
  for (int i = 0; i < 3; i++) {
    const std::string& bytes = i == 1 ? huge : small;
    ByteSpan piece = as_byte_span(bytes);
    builder.add({.partition = PartitionId(1), .base_offset = Offset(i), .end_offset = Offset(i + 1)}, {&piece, 1});
  }
  auto object = builder.build();
  REQUIRE(object);
  REQUIRE(object->footer.blocks.size() == 3);
  CHECK(object->footer.blocks[1].batches == 1);
  CHECK(object->footer.blocks[1].size == kBlockHeaderBytes + kBatchEntryBytes + huge.size());
}

TEST_CASE("a block finds the batch that holds a position, or the next one after a gap") {
  ObjectBuilder builder({});
  builder.name_partition(PartitionId(1), Model::uuid(1), "t", 0);
  ByteSpan piece = as_byte_span("x");
  auto add = [&](int64_t base, int64_t end, int64_t text, uint64_t length) {
    builder.add({.partition = PartitionId(1), .base_offset = Offset(base), .end_offset = Offset(end),
                 .text_position = TextPosition(text), .text_length = length}, {&piece, 1});
  };
  add(10, 20, 100, 50), add(20, 21, 150, 0), add(30, 40, 160, 10);
  auto object = builder.build();
  REQUIRE(object);
  std::string all = joined(object->pieces);
  const BlockEntry& entry = object->footer.blocks[0];
  auto block = BlockReader::open(entry, as_byte_span(all).subspan(entry.position, entry.size));
  REQUIRE(block);
  CHECK(block->find(Offset(0)) == 0);
  CHECK(block->find(Offset(19)) == 0);
  CHECK(block->find(Offset(20)) == 1);
  CHECK(block->find(Offset(25)) == 2);
  CHECK(block->find(Offset(39)) == 2);
  CHECK(block->find(Offset(40)) == 3);
  CHECK(block->find(TextPosition(149)) == 0);
  CHECK(block->find(TextPosition(150)) == 2);
  CHECK(block->find(TextPosition(169)) == 2);
  CHECK(block->find(TextPosition(170)) == 3);
  CHECK(entry.text_end() == TextPosition(170));
}

TEST_CASE("the builder refuses what would not be an object") {
  ByteSpan piece = as_byte_span("x");
  auto build = [&](std::vector<StoredBatch> batches, bool named = true) {
    ObjectBuilder builder({});
    if (named) builder.name_partition(PartitionId(1), Model::uuid(1), "t", 0);
    for (const auto& b : batches) builder.add(b, {&piece, 1});
    auto r = builder.build();
    return r ? std::string() : r.error().what;
  };
  StoredBatch a{.partition = PartitionId(1), .base_offset = Offset(0), .end_offset = Offset(10), .text_length = 10};
  StoredBatch b{.partition = PartitionId(1), .base_offset = Offset(10), .end_offset = Offset(20),
                .text_position = TextPosition(10)};
  CHECK(build({b, a}) == "");
  CHECK(build({}) != "");
  CHECK(build({a}, false).find("has no name") != std::string::npos);
  b.base_offset = Offset(9);
  CHECK(build({a, b}).find("overlaps") != std::string::npos);
  b.base_offset = Offset(10), b.text_position = TextPosition(9);
  CHECK(build({a, b}).find("overlaps") != std::string::npos);
  a.end_offset = Offset(0);
  CHECK(build({a}).find("malformed") != std::string::npos);
}

TEST_CASE("the bytes of an object do not change between versions of this program") {
  ObjectBuilder builder({.store = Model::uuid(0xaa), .epoch = 1, .sequence = 2, .log_from = 3, .log_to = 4,
                         .created = WallMilliseconds(5)});
  builder.name_partition(PartitionId(6), Model::uuid(0xbb), "orders", 7);
  ByteSpan piece = as_byte_span("batch");
  builder.add({.partition = PartitionId(6), .base_offset = Offset(8), .end_offset = Offset(10),
               .text_position = TextPosition(11), .text_length = 12, .first_timestamp = 13, .max_timestamp = 14,
               .flags = 15}, {&piece, 1});
  auto object = builder.build();
  REQUIRE(object);
  CHECK(hex(joined(object->pieces)) ==
        "7466736f626a0d0a00000001894e74c7aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"  // header
        "74667362000000060000000100000000"  // block header
        "0000000000000008000000000000000a000000000000000b000000000000000c000000380000000f"  // batch entry
        "6261746368"  // batch
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0000000000000001000000000000000200000000000000030000000000000004"  // facts
        "000000000000000500000001000000010000000100000000"
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb00066f7264657273"  // topic
        "000000060000000000000007"  // partition
        "00000006000000010000000000000008000000000000000a000000000000000b000000000000000c000000000000000d"  // block entry
        "000000000000000e00000000000000200000003d1f44fc8d"
        "000000000000005d000000b488328f7600000001187e9c700d0a746673656e64");  // trailer
}

TEST_CASE("every damaged byte of an object is noticed by the part that covers it") {
  Model model(11, 12, 40, 3);
  std::string object = joined(model.build().pieces);
  auto clean = parse_object(object);
  REQUIRE(clean);
  for (size_t at = 0; at < object.size(); at++) {
    INFO("byte " << at);
    std::string damaged = object;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    ByteSpan bytes = as_byte_span(damaged);
    bool noticed = !parse_object_header(bytes) || !parse_object(damaged);
    for (const BlockEntry& b : clean->blocks) noticed |= !BlockReader::open(b, bytes.subspan(b.position, b.size));
    CHECK(noticed);
  }
  for (size_t size : {size_t{0}, size_t{10}, size_t{31}, size_t{32}, object.size() / 2, object.size() - 1})
    CHECK_FALSE(parse_object(std::string_view(object).substr(0, size)));
}

TEST_CASE("a footer or block with a right checksum but lying fields is refused or consistent, and never read past") {
  Model model(5, 30, 60, 4);
  std::string object = joined(model.build().pieces);
  auto clean = parse_object(object);
  REQUIRE(clean);
  Trailer trailer = *Trailer::parse(as_byte_span(object).last(kTrailerBytes), object.size());
  std::mt19937_64 random(1);
  int refused = 0;
  for (int i = 0; i < 20'000; i++) {
    std::string footer = object.substr(trailer.footer_position, trailer.footer_size);
    footer[random() % footer.size()] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
    Trailer lying = trailer;
    lying.footer_crc = crc32c(as_byte_span(footer));
    if (auto f = Footer::parse(as_byte_span(footer), lying)) {
      uint64_t end = kObjectHeaderBytes;
      for (const auto& b : f->blocks) {
        CHECK(b.position == end);
        end += b.size;
      }
      CHECK(end == trailer.footer_position);
    } else {
      refused++;
    }
    const BlockEntry& entry = clean->blocks[random() % clean->blocks.size()];
    std::string bytes = object.substr(entry.position, entry.size);
    bytes[random() % (kBlockHeaderBytes + entry.batches * kBatchEntryBytes)] = static_cast<char>(random());
    if (auto block = BlockReader::open(entry, as_byte_span(bytes), entry.crc)) {
      const char* end = bytes.data() + kBlockHeaderBytes + entry.batches * kBatchEntryBytes;
      for (size_t n = 0; n < block->size(); n++) {
        CHECK(as_text((*block)[n].bytes).data() == end);
        end += (*block)[n].bytes.size();
      }
      CHECK(end == bytes.data() + bytes.size());
    }
  }
  CHECK(refused > 5'000);
}
