#include "support/memory_batch.h"

#include <limits>

#include "base/check.h"
#include "record/builder.h"
#include "record/records.h"
#include "record/text.h"

namespace topicfs::testing {
namespace {

/// Room for the header, which is known last.
std::vector<std::byte> begin_batch() { return std::vector<std::byte>(kBatchHeaderBytes); }

auto appending_to(std::vector<std::byte>& out) {
  return [&out](ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
}

std::vector<std::byte> end_batch(std::vector<std::byte> out, int32_t record_count, WallMilliseconds timestamp) {
  ByteSpan records = ByteSpan(out).subspan(kBatchHeaderBytes);
  FileBatch batch;
  batch.record_count = record_count;
  batch.records_bytes = records.size();
  batch.base_timestamp = batch.max_timestamp = timestamp.count();
  auto header = finish_header(batch, std::span<const ByteSpan>(&records, 1));
  std::copy(header.begin(), header.end(), out.begin());
  return out;
}

}  // namespace

Result<MemoryBatch> parse_batch(ByteSpan bytes, const ValidateLimits& limits) {
  MemoryBatch batch;
  TRY_ASSIGN(batch.validated, validate_batch(bytes, limits));
  auto& header = batch.validated.header;
  TRY_ASSIGN(auto view, RecordsView::of_batch(header, {&bytes, 1}));
  batch.text.resize(batch.validated.text_size_bytes);
  auto* text = reinterpret_cast<std::byte*>(batch.text.data());
  TRY(render_text(view, batch.text.size(), 0, {text, batch.text.size()}));
  RecordReader reader(view);
  for (int32_t i = 0; i < header.record_count; ++i) {
    Record record;
    if (!reader.begin(record) || !reader.skip_value() || !reader.end(record))
      return fail(Errc::kCorrupt, "a record of the batch does not decode");
    batch.records.push_back({record.offset_delta, header.base_timestamp + record.timestamp_delta, record.text_bytes()});
  }
  return batch;
}

void stamp(MutableByteSpan batch, const MemoryBatch& parsed, Offset base, TimestampType type, WallMilliseconds now) {
  auto header = batch.first<kBatchHeaderBytes>();
  stamp_offset(header, base, 0);
  if (type == TimestampType::log_append_time) rewrite_times(header, type, now.count());
  else if (parsed.validated.needs_rewrite()) rewrite_times(header, type, parsed.validated.max_timestamp);
}

Offset base_offset_of(ByteSpan batch) { return BatchHeader::parse(batch).value().base_offset; }

std::vector<std::byte> build_batch(std::string_view text, WallMilliseconds timestamp) {
  ByteSpan piece = as_byte_span(text);
  LineSplitter planned({&piece, 1}, kMaxValueBytes), written = planned;
  auto plan = plan_records(planned, 0, 0, std::numeric_limits<int32_t>::max());
  auto out = begin_batch();
  write_records(written, plan, 0, 0, appending_to(out));
  return end_batch(std::move(out), plan.record_count, timestamp);
}

std::vector<std::byte> build_batch(std::span<const std::string_view> values, WallMilliseconds timestamp) {
  auto out = begin_batch();
  int32_t count = 0;
  for (auto value : values) write_record(as_byte_span(value), 0, count++, Ending::newline, appending_to(out));
  return end_batch(std::move(out), count, timestamp);
}

}  // namespace topicfs::testing
