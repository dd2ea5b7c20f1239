#include "record/validate.h"

#include <doctest/doctest.h>

#include <functional>
#include <random>
#include <vector>

#include "record/text.h"
#include "support/batches.h"
#include "unit/record/captured_batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

const std::vector<TestRecord> kTwo{{.value = "one"}, {.value = "two"}};
constexpr int16_t kGzip = static_cast<int16_t>(Codec::gzip);

std::optional<BatchFault> fault(const std::string& batch, const ValidateLimits& limits = {}) {
  auto valid = validate_batch(as_byte_span(batch), limits);
  if (valid) return std::nullopt;
  const auto found = fault_of(valid.error());
  REQUIRE_MESSAGE(found.has_value(), valid.error().what);
  return found;
}

/// A batch of kTwo whose header is changed afterwards, with a right CRC.
std::string changed(const std::function<void(BatchHeader&)>& change, int16_t attributes = 0) {
  BatchHeader header;
  header.attributes = attributes;
  const std::string batch = encode_batch(header, kTwo);
  header = *BatchHeader::parse(as_byte_span(batch));
  change(header);
  return with_header(batch, header);
}

std::string around(const std::string& payload, int32_t count, int16_t attributes = 0) {
  BatchHeader header;
  header.attributes = attributes;
  return encode_batch(header, payload, count);
}

}  // namespace

TEST_CASE("batches captured from clients are valid, whatever their codec, and show their lines") {
  std::string expected;
  for (int i = 0; i < 20; ++i) expected += "line " + std::to_string(i) + " of a text that compresses\n";
  for (std::string_view captured :
       {kLibrdkafkaNone, kLibrdkafkaGzip, kLibrdkafkaSnappy, kLibrdkafkaLz4, kLibrdkafkaZstd}) {
    const std::string batch = from_hex(captured);
    auto valid = validate_batch(as_byte_span(batch), {});
    REQUIRE_MESSAGE(valid.has_value(), valid.error().what);
    CHECK(valid->record_count == 20);
    CHECK(valid->size_bytes == batch.size());
    CHECK(valid->text_size_bytes == expected.size());
    CHECK_FALSE(valid->needs_rewrite());
    const std::vector<ByteSpan> pieces{as_byte_span(batch)};
    std::string text(expected.size(), '\0');
    CHECK(*render_text(*RecordsView::of_batch(valid->header, pieces), valid->text_size_bytes, 0,
                       {reinterpret_cast<std::byte*>(text.data()), text.size()}) == text.size());
    CHECK(text == expected);
  }
  auto python = validate_batch(as_byte_span(from_hex(kKafkaPython)), {});
  REQUIRE(python.has_value());
  CHECK(python->text_size_bytes == 8);  // "hello\n", "\n" (empty), "\n" (null)
  CHECK(python->max_timestamp == 1600000000500);
  CHECK(python->header.producer_id == 7);
}

TEST_CASE("each broken rule is refused with the fault that Kafka's code for it needs") {
  using F = BatchFault;
  CHECK(fault(changed([](BatchHeader&) {})) == std::nullopt);
  std::string bad_crc = encode_batch(kTwo);
  bad_crc.back() = static_cast<char>(bad_crc.back() ^ 1);
  CHECK(fault(bad_crc) == F::corrupt_message);
  CHECK(fault(changed([](BatchHeader& h) { h.magic = 0; })) == F::old_magic);
  CHECK(fault(changed([](BatchHeader& h) { h.magic = 1; })) == F::old_magic);
  CHECK(fault(changed([](BatchHeader& h) { h.magic = 9; })) == F::corrupt_message);
  CHECK(fault(changed([](BatchHeader& h) { h.magic = -1; })) == F::corrupt_message);
  CHECK(fault(changed([](BatchHeader& h) { h.batch_length = 20; })) == F::corrupt_message);
  CHECK(fault(changed([](BatchHeader& h) { h.batch_length = -5; })) == F::corrupt_message);
  CHECK(fault(changed([](BatchHeader& h) { h.batch_length = 100'000; })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.base_offset = Offset(7); })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.record_count = 3; })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.last_offset_delta = 2; })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.record_count = 3, h.last_offset_delta = 2; })) ==
        F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.record_count = 1, h.last_offset_delta = 0; })) ==
        F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.record_count = 0, h.last_offset_delta = -1; })) ==
        F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) {
          h.record_count = INT32_MAX, h.last_offset_delta = INT32_MAX - 1;
        })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.attributes = kAttributeControl; })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.producer_id = 5; })) == F::invalid_record);
  CHECK(fault(changed([](BatchHeader& h) { h.producer_id = 5, h.base_sequence = 0; })) == std::nullopt);
  CHECK(fault(changed([](BatchHeader& h) { h.attributes = 5; })) == F::unknown_codec);
  CHECK(fault(changed([](BatchHeader& h) { h.attributes = 7; })) == F::unknown_codec);
  CHECK(fault(around("not gzip at all", 2, kGzip)) == F::undecodable);
  CHECK(fault(around(std::string(6, '\xff'), 2)) == F::invalid_record);
  CHECK(fault(around(encode_records(kTwo) + "xyz", 2)) == F::invalid_record);
  CHECK(fault(around(compress(Codec::gzip, encode_records(kTwo) + "xyz"), 2, kGzip)) == F::invalid_record);
  CHECK(fault(around(compress(Codec::gzip, encode_records(kTwo)), 3, kGzip)) == F::invalid_record);
  CHECK(fault(around(compress(Codec::gzip, encode_records(kTwo)), 1, kGzip)) == F::invalid_record);
}

TEST_CASE("records out of place are refused, plain and compressed") {
  for (Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    CHECK(fault(encode_batch({{.value = "a"}, {.value = "b", .offset_delta = 0}}, codec)) ==
          BatchFault::invalid_record);
    CHECK(fault(encode_batch({{.value = "a"}, {.value = "b", .offset_delta = 2}}, codec)) ==
          BatchFault::invalid_record);
  }
}

TEST_CASE("one batch is taken, with up to 11 stray bytes behind it, and no second one") {
  const std::string batch = encode_batch(kTwo);
  const std::string stray = batch + "garbage";
  CHECK(validate_batch(as_byte_span(stray), {})->size_bytes == batch.size());
  CHECK(fault(batch + std::string(12, 'x')) == BatchFault::invalid_record);
  CHECK(fault(batch + batch) == BatchFault::invalid_record);
  CHECK(fault("") == BatchFault::invalid_record);
}

TEST_CASE("limits hold at their edge") {
  const std::string batch = encode_batch(kTwo);
  CHECK(fault(batch, {.max_batch_bytes = batch.size()}) == std::nullopt);
  CHECK(fault(batch, {.max_batch_bytes = batch.size() - 1}) == BatchFault::too_large);
  CHECK(fault(batch, {.max_text_bytes = 8}) == std::nullopt);
  CHECK(fault(batch, {.max_text_bytes = 7}) == BatchFault::too_large);
  const std::string bomb = encode_batch({{.value = std::string(50'000'000, 'x')}}, Codec::zstd);
  CHECK(fault(bomb, {.max_text_bytes = 10'000'000}) == BatchFault::too_large);
  BatchHeader zstd;
  zstd.attributes = static_cast<int16_t>(Codec::zstd);
  CHECK(fault(encode_batch(zstd, kTwo), {.allow_zstd = false}) == BatchFault::unsupported_compression);
  CHECK(fault(batch, {.keys = Require::yes}) == BatchFault::invalid_record);
  CHECK(fault(encode_batch({{.value = {}, .key = ""}}), {.keys = Require::yes}) == std::nullopt);
}

TEST_CASE("timestamps outside of the limits are refused, none at all is within") {
  BatchHeader header;
  header.base_timestamp = 1000;
  const std::string batch = encode_batch(header, {{.value = "a"}, {.value = "b", .timestamp_delta = 50}});
  CHECK(fault(batch, {.min_timestamp = 1000, .max_timestamp = 1050}) == std::nullopt);
  CHECK(fault(batch, {.min_timestamp = 1001}) == BatchFault::invalid_timestamp);
  CHECK(fault(batch, {.max_timestamp = 1049}) == BatchFault::invalid_timestamp);
  header.base_timestamp = kNoTimestamp;
  CHECK(fault(encode_batch(header, kTwo), {.min_timestamp = 1000}) == std::nullopt);
}

TEST_CASE("a wrong maximum timestamp and a LogAppendTime bit are taken, and to be corrected") {
  auto wrong = validate_batch(as_byte_span(changed([](BatchHeader& h) { h.max_timestamp = 5000; })), {});
  CHECK(wrong->max_timestamp == 0);
  CHECK(wrong->needs_rewrite());
  auto bit = validate_batch(
      as_byte_span(changed([](BatchHeader& h) { h.attributes = kAttributeLogAppendTime; })), {});
  CHECK(bit->needs_rewrite());
}

TEST_CASE("the text counts values and newlines, null and empty values, and leaves out marked newlines") {
  auto text = [](const TestRecord& r) {
    return validate_batch(as_byte_span(encode_batch({r})), {})->text_size_bytes;
  };
  const std::string key(kPartialHeaderKey);
  CHECK(text({.value = "four"}) == 5);
  CHECK(text({.value = ""}) == 1);
  CHECK(text({.value = std::nullopt}) == 1);
  CHECK(text({.value = "four", .headers = {{key, std::nullopt}}}) == 4);
  CHECK(text({.value = "four", .headers = {{key, ""}}}) == 4);
  CHECK(text({.value = "four", .headers = {{"first", "x"}, {key, std::nullopt}, {"last", std::nullopt}}}) ==
        4);
  CHECK(text({.value = "four", .headers = {{key, "x"}}}) == 5);
  CHECK(text({.value = "four", .headers = {{"topicfs.PARTIAL", std::nullopt}}}) == 5);
  CHECK(text({.value = "four", .headers = {{"topicfs.partia", std::nullopt}}}) == 5);
}

TEST_CASE("a fault is found again in an error that has travelled as code and text") {
  CHECK(fault_of(Error{Errc::kCorrupt, 0, "undecodable payload: gzip"}) == BatchFault::undecodable);
  CHECK(fault_of(Error{Errc::kCorrupt, 0, "corrupt message: x"}) == BatchFault::corrupt_message);
  CHECK(fault_of(Error{Errc::kFull, 0, "the log is full"}) == std::nullopt);
}

TEST_CASE("all records that may not enter are told one by one, as Kafka does, up to a limit") {
  const auto faults = [](const std::string& batch, const ValidateLimits& limits) {
    auto valid = validate_batch(as_byte_span(batch), limits);
    REQUIRE_FALSE(valid.has_value());
    std::string indices;
    for (const RecordFault& f : valid.error().records) {
      CHECK_FALSE(f.why.empty());
      indices += std::to_string(f.index) + " ";
    }
    return indices;
  };
  for (Codec codec : {Codec::none, Codec::gzip}) {
    const std::string keys = encode_batch(
        {{.value = "a", .key = "k"}, {.value = "b"}, {.value = "c", .key = "k"}, {.value = "d"}}, codec);
    CHECK(faults(keys, {.keys = Require::yes}) == "1 3 ");
    CHECK(fault(keys, {.keys = Require::yes, .min_timestamp = 1}) == BatchFault::invalid_record);  // of both kinds
    CHECK(faults(keys, {.min_timestamp = 1}) == "0 1 2 3 ");
    CHECK(fault(keys, {.min_timestamp = 1}) == BatchFault::invalid_timestamp);
  }
  const std::vector<TestRecord> many(kMaxRecordFaults + 1, {.value = "v"});
  auto refused = validate_batch(as_byte_span(encode_batch(many)), {.keys = Require::yes});
  CHECK(refused.error().records.size() == kMaxRecordFaults);
  CHECK(refused.error().what.ends_with("; and 100 more"));
}

TEST_CASE("a batch cut off at any byte is refused, also if its header and CRC are made to fit") {
  for (Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    BatchHeader header;
    header.attributes = static_cast<int16_t>(codec);
    const std::string batch = encode_batch(
        header, {{.value = "some value", .key = "key"}, {.value = "another", .headers = {{"h", "v"}}}});
    const std::string payload = batch.substr(kBatchHeaderBytes);
    for (size_t n = 0; n < batch.size(); ++n) CHECK(fault(batch.substr(0, n)).has_value());
    for (size_t n = 0; n < payload.size(); ++n) {
      CAPTURE(name_of(codec));
      CAPTURE(n);
      CHECK(fault(encode_batch(header, payload.substr(0, n), 2)).has_value());
    }
  }
}

TEST_CASE("any flipped bit is noticed by the CRC, and what lies behind the CRC never crashes") {
  for (Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    const std::string batch = encode_batch(
        {{.value = "some value", .key = "key"}, {.value = "another", .headers = {{"topicfs.partial", ""}}}},
        codec);
    for (size_t bit = 0; bit < batch.size() * 8; ++bit) {
      std::string damaged = batch;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      const bool is_outside_crc = bit / 8 >= 12 && bit / 8 < 16;  // the leader epoch
      CHECK(fault(damaged).has_value() == !is_outside_crc);
      if (bit / 8 < kBatchHeaderBytes) continue;
      // With a right CRC: what is accepted must then render to exactly its counted length.
      BatchHeader header = *BatchHeader::parse(as_byte_span(damaged));
      damaged = with_header(damaged, header);
      auto valid = validate_batch(as_byte_span(damaged), {});
      if (!valid) continue;
      const std::vector<ByteSpan> pieces{as_byte_span(damaged)};
      std::string out(valid->text_size_bytes, '\0');
      CHECK(*render_text(*RecordsView::of_batch(valid->header, pieces), valid->text_size_bytes, 0,
                         {reinterpret_cast<std::byte*>(out.data()), out.size()}) == out.size());
    }
  }
}
