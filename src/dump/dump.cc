#include "dump/dump.h"

#include <cstring>

#include "metadata/checkpoint.h"
#include "object/format.h"
#include "record/records.h"
#include "wal/format.h"

namespace topicfs::dump {
namespace {

constexpr size_t kMagicBytes = 8;

std::string_view name_of(uint8_t codec) {
  constexpr std::string_view kNames[] = {"none", "gzip", "snappy", "lz4", "zstd"};
  return codec < std::size(kNames) ? kNames[codec] : "unknown";
}

/// RecordReader hands on values only: of a key its length is shown.
Result<void> dump_record(RecordReader& reader, const BatchHeader& header, int depth, Printer& out) {
  Record record;
  std::string value;
  auto take = [&](ByteSpan part) { value.append(as_text(part)); };
  if (!reader.begin(record) || !reader.read_value(take) || !reader.end(record))
    return tl::unexpected<Error>(reader.error());
  out.begin("record", depth);
  out.put("offset", (header.base_offset + record.offset_delta).v);
  out.put("timestamp", header.has_log_append_time() ? header.max_timestamp : header.base_timestamp + record.timestamp_delta);
  if (record.key_size >= 0) out.put("key_bytes", int64_t{record.key_size});
  if (record.is_partial) out.put("newline", "no");
  if (record.value_size < 0) out.put_json("value", "null");
  else out.put_bytes("value", value);
  if (!out.end()) return fail(Errc::kClosed, "the output is closed");
  return {};
}

}  // namespace

void put_batch_header(ByteSpan batch, Printer& out) {
  auto header = BatchHeader::parse(batch);
  if (!header) return out.put("batch", header.error().what);
  out.put("codec", name_of(header->raw_codec()));
  if (header->has_producer_id()) {
    out.put("producer", header->producer_id);
    out.put("producer_epoch", int64_t{header->producer_epoch});
    out.put("producer_sequence", int64_t{header->base_sequence});
  }
  if (header->is_transactional()) out.put("transactional", "yes");
  if (header->is_control()) out.put("control", "yes");
}

Result<void> dump_records(ByteSpan batch, int depth, Printer& out) {
  TRY_ASSIGN(BatchHeader header, BatchHeader::parse(batch));
  TRY_ASSIGN(RecordsView view, RecordsView::of_batch(header, {&batch, 1}));
  RecordReader reader(view);
  for (int32_t i = 0; i < view.record_count; i++) TRY(dump_record(reader, header, depth, out));
  return {};
}

Result<void> dump(Source& source, Detail detail, Printer& out) {
  if (source.size_bytes() < kMagicBytes) return fail(Errc::kUnsupported, "it is too short for anything that topicfs writes");
  TRY_ASSIGN(auto first, source.read(0, kMagicBytes));
  uint64_t magic;
  std::memcpy(&magic, first.data(), sizeof magic);
  if (magic == wal::kSegmentMagic) return dump_segment(source, detail, out);
  if (magic == kCheckpointMagic) return dump_checkpoint(source, out);
  if (as_text(first) == kObjectMagic) return dump_object(source, detail, out);
  return fail(Errc::kUnsupported, "it is no log segment, no object and no checkpoint of topicfs");
}

}  // namespace topicfs::dump
