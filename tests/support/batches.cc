#include "support/batches.h"

#include <algorithm>

#include "codec/crc32c.h"
#include "codec/varint.h"

namespace topicfs::testing {
namespace {

template <class I>
void put(std::string& out, I value) {
  std::byte bytes[kMaxVarlongBytes];
  const std::byte* end = encode_varint(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

void put(std::string& out, const std::optional<std::string>& bytes) {
  put(out, bytes ? static_cast<int32_t>(bytes->size()) : -1);
  if (bytes) out += *bytes;
}

}  // namespace

std::string encode_records(const std::vector<TestRecord>& records) {
  std::string out;
  for (size_t i = 0; i < records.size(); ++i) {
    const TestRecord& r = records[i];
    std::string body(1, '\0');
    put(body, r.timestamp_delta);
    put(body, r.offset_delta.value_or(static_cast<int32_t>(i)));
    put(body, r.key);
    put(body, r.value);
    put(body, static_cast<int32_t>(r.headers.size()));
    for (const TestHeader& h : r.headers) {
      put(body, std::optional(h.key));
      put(body, h.value);
    }
    put(out, static_cast<int32_t>(body.size()));
    out += body;
  }
  return out;
}

std::string with_header(std::string batch, const BatchHeader& header) {
  BatchHeaderBytes bytes;
  BatchHeader h = header;
  h.store(bytes);
  h.crc =
      crc32c(as_byte_span(batch).subspan(kBatchHeaderBytes), crc32c(ByteSpan(bytes).subspan(kBatchCrcStart)));
  h.store(bytes);
  batch.replace(0, bytes.size(), reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return batch;
}

std::string encode_batch(BatchHeader header, std::string_view payload, int32_t record_count) {
  header.batch_length = static_cast<int32_t>(kBatchHeaderBytes - kBatchLengthEnd + payload.size());
  header.record_count = record_count;
  header.last_offset_delta = record_count - 1;
  return with_header(std::string(kBatchHeaderBytes, '\0').append(payload), header);
}

std::string encode_batch(BatchHeader header, const std::vector<TestRecord>& records, SnappyForm form) {
  header.max_timestamp = kNoTimestamp;
  for (const TestRecord& r : records)
    header.max_timestamp = std::max(header.max_timestamp, header.base_timestamp + r.timestamp_delta);
  return encode_batch(header, compress(header.codec(), encode_records(records), form),
                      static_cast<int32_t>(records.size()));
}

std::string encode_batch(const std::vector<TestRecord>& records, Codec codec) {
  BatchHeader header;
  header.attributes = static_cast<int16_t>(codec);
  return encode_batch(header, records);
}

}  // namespace topicfs::testing
