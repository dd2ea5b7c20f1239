#include "record/batch.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "record/builder.h"
#include "record/timestamps.h"
#include "record/validate.h"
#include "support/batches.h"
#include "unit/record/captured_batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

std::string hex(ByteSpan bytes) {
  std::string out;
  for (std::byte b : bytes) {
    for (int digit : {std::to_integer<int>(b) >> 4, std::to_integer<int>(b) & 15})
      out += "0123456789abcdef"[digit];
  }
  return out;
}

BatchHeaderBytes header_of(const std::string& batch) {
  BatchHeaderBytes bytes;
  std::memcpy(bytes.data(), batch.data(), bytes.size());
  return bytes;
}

}  // namespace

TEST_CASE(
    "the header of kafka-python's batch has the fields that it was given, and is stored back the same") {
  const std::string batch = from_hex(kKafkaPython);
  const BatchHeader h = *BatchHeader::parse(as_byte_span(batch));
  CHECK(h.size_bytes() == batch.size());
  CHECK(h.producer_id == 7);
  CHECK(h.producer_epoch == 3);
  CHECK(h.base_sequence == 5);
  CHECK(h.record_count == 3);
  CHECK(h.next_offset() == Offset(3));
  CHECK(h.base_timestamp == 1600000000000);
  CHECK(h.max_timestamp == 1600000000500);
  CHECK(h.codec() == Codec::none);
  CHECK_FALSE(h.is_control());
  BatchHeaderBytes bytes;
  h.store(bytes);
  CHECK(bytes == header_of(batch));
  const ByteSpan pieces[] = {as_byte_span(batch).first(30), as_byte_span(batch).subspan(30)};
  CHECK(has_valid_crc(h, pieces));
}

TEST_CASE("a batch of file lines has exactly these bytes") {
  std::string records;
  const auto sink = [&](ByteSpan bytes) { records += as_text(bytes); };
  write_record(as_byte_span("hello"), 0, 0, Ending::newline, sink);
  write_record(as_byte_span(""), 0, 1, Ending::newline, sink);
  write_record(as_byte_span("end"), 0, 2, Ending::partial, sink);
  const ByteSpan pieces[] = {as_byte_span(records).first(7), as_byte_span(records).subspan(7)};
  const FileBatch batch{.base_offset = Offset(258),
                        .partition_leader_epoch = 5,
                        .record_count = 3,
                        .records_bytes = records.size(),
                        .base_timestamp = 1600000000000,
                        .max_timestamp = 1600000000000};
  const BatchHeaderBytes header = finish_header(batch, pieces);
  CHECK(hex(as_byte_span(records)) ==
        "16"
        "00"
        "00"
        "00"
        "01"
        "0a"
        "68656c6c6f"
        "00"  // "hello"
        "0c"
        "00"
        "00"
        "02"
        "01"
        "00"
        "00"  // ""
        "34"
        "00"
        "00"
        "04"
        "01"
        "06"
        "656e64"  // "end", with
        "02"
        "1e"
        "746f70696366732e7061727469616c"
        "01");  // topicfs.partial: null
  CHECK(hex(header) ==
        "0000000000000102"
        "0000005f"
        "00000005"
        "02" +
            hex(ByteSpan(header).subspan(17, 4)) +
            "0000"
            "00000002"
            "00000174876e8000"
            "00000174876e8000"
            "ffffffffffffffff"
            "ffff"
            "ffffffff"
            "00000003");
  CHECK(has_valid_crc(*BatchHeader::parse(header), std::vector<ByteSpan>{header, as_byte_span(records)}));
  CHECK(finish_header(batch, crc32c(as_byte_span(records))) == header);
}

TEST_CASE("record_size is what write_record writes, at every length of a number") {
  for (size_t value_bytes : {0, 1, 50, 63, 64, 8191, 8192, 1'048'575, 1'048'576}) {
    for (int64_t timestamp_delta : {int64_t{0}, int64_t{-1}, int64_t{64}, int64_t{1} << 40, INT64_MIN}) {
      for (int32_t offset_delta : {0, 63, 64, INT32_MAX}) {
        for (Ending ending : {Ending::newline, Ending::partial}) {
          const std::string value(value_bytes, 'v');
          size_t written = 0;
          write_record(as_byte_span(value), timestamp_delta, offset_delta, ending,
                       [&](ByteSpan bytes) { written += bytes.size(); });
          CHECK(written == record_size(value_bytes, timestamp_delta, offset_delta, ending));
          CHECK(written <= value_bytes + kMaxRecordOverheadBytes);
        }
      }
    }
  }
}

TEST_CASE("stamping an offset and an epoch leaves the CRC valid") {
  std::string batch = from_hex(kKafkaPython);
  BatchHeaderBytes bytes = header_of(batch);
  stamp_offset(bytes, Offset(int64_t{1} << 40), 9);
  batch.replace(0, bytes.size(), as_text(bytes));
  const BatchHeader h = *BatchHeader::parse(as_byte_span(batch));
  CHECK(h.last_offset() == Offset((int64_t{1} << 40) + 2));
  CHECK(h.partition_leader_epoch == 9);
  CHECK(has_valid_crc(h, std::vector<ByteSpan>{as_byte_span(batch)}));
}

TEST_CASE("rewriting the times corrects the CRC without the records, back and forth") {
  for (std::string_view captured : {kKafkaPython, kLibrdkafkaNone, kLibrdkafkaZstd}) {
    const std::string original = from_hex(captured);
    const int64_t max_timestamp = BatchHeader::parse(as_byte_span(original))->max_timestamp;
    std::string batch = original;
    BatchHeaderBytes bytes = header_of(batch);
    rewrite_times(bytes, TimestampType::log_append_time, 1'900'000'000'123);
    batch.replace(0, bytes.size(), as_text(bytes));
    const BatchHeader h = *BatchHeader::parse(as_byte_span(batch));
    CHECK(h.has_log_append_time());
    CHECK(h.max_timestamp == 1'900'000'000'123);
    CHECK(has_valid_crc(h, std::vector<ByteSpan>{as_byte_span(batch)}));
    rewrite_times(bytes, TimestampType::create_time, max_timestamp);
    CHECK(bytes == header_of(original));
  }
}

TEST_CASE("a header that is cut off or impossible is refused") {
  const std::string batch = from_hex(kKafkaPython);
  for (size_t n = 0; n < kBatchHeaderBytes; ++n)
    CHECK(BatchHeader::parse(as_byte_span(batch).first(n)).error().code == Errc::kCorrupt);
  auto changed = [&](auto change) {
    BatchHeader h = *BatchHeader::parse(as_byte_span(batch));
    change(h);
    const std::string other = with_header(batch, h);
    return BatchHeader::parse(as_byte_span(other)).error().code;
  };
  CHECK(changed([](BatchHeader& h) { h.magic = 1; }) == Errc::kUnsupported);
  CHECK(changed([](BatchHeader& h) { h.attributes = 5; }) == Errc::kUnsupported);
  CHECK(changed([](BatchHeader& h) { h.batch_length = 48; }) == Errc::kCorrupt);
  CHECK(changed([](BatchHeader& h) { h.record_count = -1; }) == Errc::kCorrupt);
  CHECK(changed([](BatchHeader& h) { h.last_offset_delta = -1; }) == Errc::kCorrupt);
}

TEST_CASE("the first record at or after a time is found, and the first with the latest") {
  for (Codec codec : {Codec::none, Codec::gzip}) {
    BatchHeader h;
    h.base_offset = Offset(100);
    h.base_timestamp = 1000;
    h.attributes = static_cast<int16_t>(codec);
    std::string batch = encode_batch(h, {{.value = "a", .timestamp_delta = 500},
                                         {.value = "b", .timestamp_delta = -100},
                                         {.value = "c", .timestamp_delta = 900},
                                         {.value = "d", .timestamp_delta = 900}});
    auto find = [&](int64_t target) {
      const std::vector<ByteSpan> pieces{as_byte_span(batch)};
      h = *BatchHeader::parse(pieces);
      return *find_timestamp(h, *RecordsView::of_batch(h, pieces), target);
    };
    CHECK(find(0)->offset == Offset(100));
    CHECK(find(1500)->timestamp == 1500);
    CHECK(find(1501)->offset == Offset(102));
    CHECK(find(1900)->timestamp == 1900);
    CHECK_FALSE(find(1901).has_value());
    const std::vector<ByteSpan> pieces{as_byte_span(batch)};
    CHECK(find_max_timestamp(h, *RecordsView::of_batch(h, pieces), Offset(0)).value()->offset == Offset(102));

    BatchHeaderBytes bytes = header_of(batch);
    rewrite_times(bytes, TimestampType::log_append_time, 7777);
    batch.replace(0, bytes.size(), as_text(bytes));
    CHECK(find(7777)->offset == Offset(100));
    CHECK(find(7777)->timestamp == 7777);
    CHECK_FALSE(find(7778).has_value());
  }
}
