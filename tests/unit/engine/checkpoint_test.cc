// Checkpoints, byte for byte as topicfs-format(5) has them.
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "codec/crc32c.h"
#include "metadata/checkpoint.h"

using namespace topicfs;

namespace {

std::string hex(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::byte b : bytes) text += {kDigits[std::to_integer<int>(b) >> 4], kDigits[std::to_integer<int>(b) & 15]};
  return text;
}

Checkpoint example() {
  Checkpoint c;
  c.store.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  c.epoch = 2, c.sequence = 1;
  c.log_from = {0x300001000};
  c.control_end = Offset(4);
  c.next_topic = 5, c.next_partition = 6;
  c.objects = {{"k", 2, 1, {0}, {0x300001000}, 99, 0x01020304}};
  c.partitions = {{PartitionId(1), {Offset(0), Offset(10), TextPosition(0), TextPosition(20), WallMilliseconds(7),
                                    {{Offset(0), Offset(10), TextPosition(0), TextPosition(20), 8, 30, 0}},
                                    {{0, Offset(0)}, {1, Offset(6)}}}}};
  c.producers = {{PartitionId(1), int64_t{2} << 32, 3, WallMilliseconds(9), {{0x7fffffff, 1, Offset(4), 5}, {2, 2, Offset(7), 6}}}};
  return c;
}

std::vector<std::byte> with_crc(std::vector<std::byte> bytes) {
  uint32_t crc = crc32c(ByteSpan(bytes).first(bytes.size() - 4));
  std::memcpy(bytes.data() + bytes.size() - 4, &crc, sizeof crc);
  return bytes;
}

}  // namespace

TEST_CASE("a checkpoint of version 3 has these very bytes") {
  std::string expected =
      "746673434b50310a" "03000000" "00000000" "4501000000000000"                              // header
      "0102030405060708090a0b0c0d0e0f10" "0200000000000000" "0100000000000000"                 // store, epoch, sequence
      "0010000003000000" "0400000000000000" "05000000" "06000000"                              // log, control, numbers
      "00000000"                                                                               // topics
      "01000000" "01000000" "6b" "0200000000000000" "0100000000000000" "0000000000000000"      // an object
      "0010000003000000" "6300000000000000" "04030201"
      "01000000" "01000000" "0000000000000000" "0a00000000000000" "0000000000000000"           // a partition
      "1400000000000000" "0700000000000000"
      "01000000" "0000000000000000" "0a00000000000000" "0000000000000000" "1400000000000000"   // its extent
      "0800000000000000" "1e00000000000000" "00000000"
      "02000000" "00000000" "0000000000000000" "01000000" "0600000000000000"                   // its leader epochs
      "00000000"                                                                               // groups
      "01000000" "01000000" "0000000002000000" "0300" "0200" "0900000000000000"                // a producer
      "ffffff7f" "01000000" "0400000000000000" "0500000000000000"
      "02000000" "02000000" "0700000000000000" "0600000000000000";
  std::vector<std::byte> bytes = encode(example());
  CHECK(hex(ByteSpan(bytes).first(bytes.size() - 4)) == expected);
  auto decoded = decode_checkpoint(bytes);
  REQUIRE_MESSAGE(decoded, (decoded ? "" : decoded.error().message()));
  CHECK(encode(*decoded) == bytes);
  CHECK(decoded->producers == example().producers);
  CHECK(decoded->partitions[0].state.epochs == example().partitions[0].state.epochs);
}

TEST_CASE("a checkpoint that is cut, of another version, or says what cannot be, is refused") {
  std::vector<std::byte> bytes = encode(example());
  for (size_t size = 0; size < bytes.size(); size++) CHECK_FALSE(decode_checkpoint(ByteSpan(bytes).first(size)));
  std::vector<std::byte> old = bytes;
  old[8] = std::byte{2};
  CHECK(decode_checkpoint(with_crc(old)).error().code == Errc::kUnsupported);
  auto refused = [](auto change) {
    Checkpoint c = example();
    change(c);
    auto decoded = decode_checkpoint(encode(c));
    return !decoded && decoded.error().code == Errc::kCorrupt;
  };
  CHECK(refused([](Checkpoint& c) { c.producers[0].batches.clear(); }));
  CHECK(refused([](Checkpoint& c) { c.producers[0].batches.resize(6, {0, 0, Offset(0), 0}); }));
  CHECK(refused([](Checkpoint& c) { c.producers[0].id = -1; }));
  CHECK(refused([](Checkpoint& c) { c.producers[0].batches[0].first_sequence = -1; }));
  CHECK(refused([](Checkpoint& c) { c.partitions[0].state.epochs[1].epoch = 0; }));
  CHECK(refused([](Checkpoint& c) { c.partitions[0].state.epochs[1].start = Offset(11); }));
}
