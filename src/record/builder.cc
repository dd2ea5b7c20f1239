#include "record/builder.h"

#include <limits>

#include "base/check.h"

namespace topicfs {
namespace {

constexpr size_t kFixedBytes = 2;  // attributes; a null key's length
constexpr std::byte kNullLength{0x01};

constexpr std::array<std::byte, 1> kNoHeaders{};
/// One header, kPartialHeaderKey with a null value.
constexpr auto kPartialHeader = [] {
  std::array<std::byte, kMaxRecordSuffixBytes - 1> bytes{};
  size_t at = 0;
  bytes[at++] = static_cast<std::byte>(zigzag(int32_t{1}));
  bytes[at++] = static_cast<std::byte>(zigzag(static_cast<int32_t>(kPartialHeaderKey.size())));
  for (char c : kPartialHeaderKey) bytes[at++] = static_cast<std::byte>(c);
  bytes[at++] = kNullLength;
  return bytes;
}();

ByteSpan suffix_of(Ending ending) {
  return ending == Ending::partial ? ByteSpan(kPartialHeader) : ByteSpan(kNoHeaders);
}

/// What the record's length field says.
int32_t body_size(size_t value_bytes, int64_t timestamp_delta, int32_t offset_delta, Ending ending) {
  MUST(value_bytes <= kMaxValueBytes);
  return static_cast<int32_t>(kFixedBytes + varint_size(timestamp_delta) + varint_size(offset_delta) +
                              varint_size(static_cast<int32_t>(value_bytes)) + value_bytes +
                              suffix_of(ending).size());
}

}  // namespace

size_t record_size(size_t value_bytes, int64_t timestamp_delta, int32_t offset_delta, Ending ending) {
  const int32_t body = body_size(value_bytes, timestamp_delta, offset_delta, ending);
  return varint_size(body) + static_cast<size_t>(body);
}

RecordFrame frame_record(size_t value_bytes, int64_t timestamp_delta, int32_t offset_delta, Ending ending) {
  RecordFrame frame;
  std::byte* p = frame.prefix_bytes.data();
  p = encode_varint(p, body_size(value_bytes, timestamp_delta, offset_delta, ending));
  *p++ = std::byte{0};  // attributes
  p = encode_varint(p, timestamp_delta);
  p = encode_varint(p, offset_delta);
  *p++ = kNullLength;  // key
  p = encode_varint(p, static_cast<int32_t>(value_bytes));
  frame.prefix_size = static_cast<uint8_t>(p - frame.prefix_bytes.data());
  frame.suffix = suffix_of(ending);
  return frame;
}

LinesPlan plan_records(LineSplitter& lines, int64_t timestamp_delta, int32_t first_offset_delta,
                       size_t max_records_bytes, Least least) {
  LinesPlan plan;
  LineSplitter ahead = lines;
  Line line;
  while (first_offset_delta + static_cast<int64_t>(plan.record_count) <=
             std::numeric_limits<int32_t>::max() &&
         ahead.next(line)) {
    const size_t size =
        record_size(line.size, timestamp_delta, first_offset_delta + plan.record_count, line.ending);
    const bool demanded = least == Least::one && plan.record_count == 0;
    if (!demanded && plan.records_bytes + size > max_records_bytes) break;
    if (plan.record_count < static_cast<int32_t>(LinesPlan::kRemembered))
      plan.known[static_cast<size_t>(plan.record_count)] = {line.size, line.ending};
    plan.record_count += 1;
    plan.records_bytes += size;
    plan.text_bytes += line.text_bytes();
    lines = ahead;
  }
  return plan;
}

BatchHeaderBytes finish_header(const FileBatch& batch, uint32_t records_crc) {
  constexpr size_t kHeaderLength = kBatchHeaderBytes - kBatchLengthEnd;
  MUST(batch.record_count > 0);
  MUST(batch.records_bytes <= std::numeric_limits<int32_t>::max() - kHeaderLength);
  BatchHeader header;
  header.base_offset = batch.base_offset;
  header.batch_length = static_cast<int32_t>(kHeaderLength + batch.records_bytes);
  header.partition_leader_epoch = batch.partition_leader_epoch;
  header.last_offset_delta = batch.record_count - 1;
  header.record_count = batch.record_count;
  header.base_timestamp = batch.base_timestamp;
  header.max_timestamp = batch.max_timestamp;
  if (batch.timestamp_type == TimestampType::log_append_time) header.attributes = kAttributeLogAppendTime;
  BatchHeaderBytes bytes;
  header.store(bytes);
  header.crc =
      crc32c_combine(crc32c(ByteSpan(bytes).subspan(kBatchCrcStart)), records_crc, batch.records_bytes);
  header.store(bytes);
  return bytes;
}

BatchHeaderBytes finish_header(const FileBatch& batch, std::span<const ByteSpan> records) {
  return finish_header(batch, crc32c(records));
}

}  // namespace topicfs
