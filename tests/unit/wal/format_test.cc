// The very bytes of a segment: topicfs-format(5), LOG SEGMENTS. The checksums here come from another implementation.
#include "wal/format.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <array>
#include <string>

using namespace topicfs;
using namespace topicfs::wal;

namespace {

std::string hex(ByteSpan bytes) {
  std::string text;
  for (std::byte b : bytes) text += fmt::format("{:02x}", static_cast<unsigned>(b));
  return text;
}

}  // namespace

TEST_CASE("the header of a segment has exactly these bytes") {
  SegmentHeader h;
  h.segment = 0x01020304;
  h.bytes = 64 << 20;
  for (size_t i = 0; i < h.store.bytes.size(); i++) h.store.bytes[i] = static_cast<uint8_t>(0xa0 + i);
  std::array<std::byte, sizeof h> bytes{};
  encode(h, bytes);
  CHECK(hex(bytes) ==
        "74667357414c310a"
        "01000000" "04030201" "0000000400000000"
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
        "00000000" "10f48ad8");
  auto read = decode_segment_header(bytes);
  REQUIRE(read);
  CHECK(read->segment == h.segment);
  CHECK(read->bytes == h.bytes);
  CHECK(read->store == h.store);
  for (size_t i = 0; i < bytes.size(); i++) {
    auto damaged = bytes;
    damaged[i] ^= std::byte{1};
    CHECK_FALSE(decode_segment_header(damaged));
  }
}

TEST_CASE("an entry's header and a commit have exactly these bytes") {
  EntryHeader e;
  e.body_bytes = 0x50, e.segment = 7, e.type = EntryType::batch, e.flags = kEntryFromFile | kEntryGroupGoesOn;
  e.sequence = 0x1122334455667788, e.partition = 9, e.records = 3;
  e.base_offset = 0x0102030405060708, e.text_position = 0x1112131415161718, e.text_bytes = 0x21;
  e.max_timestamp = 0x18c2f000000;
  std::array<std::byte, kBatchPrefixBytes> prefix{};
  for (size_t i = 0; i < prefix.size(); i++) prefix[i] = static_cast<std::byte>(i);
  e.crc = entry_crc(e, prefix);
  std::array<std::byte, sizeof e> bytes{};
  store(e, bytes.data());
  CHECK(hex(bytes) ==
        "c98cf97b" "50000000" "07000000" "01" "03" "0000"
        "8877665544332211" "09000000" "03000000"
        "0807060504030201" "1817161514131211" "2100000000000000" "0000002f8c010000");
  CHECK(entry_crc(load_entry(bytes.data()), prefix) == e.crc);

  CommitBody c;
  c.number = 0x0a0b, c.durable = LogPosition::at(7, 0x1000).v, c.wall_ms = 0x18c2f000001;
  c.start = 0x2000, c.entries = 1, c.previous = 0xdeadbeef;
  const uint32_t crcs = 0x95f5735a;  // CRC-32C of the one entry's crc
  c.checksum = commit_checksum(crcs, c);
  std::array<std::byte, sizeof c> body{};
  store(c, body.data());
  CHECK(hex(body) ==
        "0b0a000000000000" "0010000007000000" "0100002f8c010000"
        "00200000" "01000000" "efbeadde" "6b5137bc");
  CHECK(load_commit(body.data()).checksum == c.checksum);
}
