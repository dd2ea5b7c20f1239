#include "engine/file_batch.h"

namespace topicfs {

uint32_t put_records(const wal::SegmentBytes& bytes, uint32_t at, LineSplitter& lines, const LinesPlan& plan,
                     int64_t timestamp_delta, int32_t first_offset_delta) {
  write_records(lines, plan, timestamp_delta, first_offset_delta, [&](ByteSpan part) {
    bytes.put(at, part);
    at += static_cast<uint32_t>(part.size());
  });
  return at;
}

void put_entry_header(const wal::SegmentBytes& bytes, const BatchRef& ref, PartitionId partition, uint8_t flags) {
  wal::EntryHeader entry;
  entry.body_bytes = ref.bytes;
  entry.segment = ref.at.segment();
  entry.type = wal::EntryType::batch;
  entry.flags = flags;
  entry.sequence = ref.sequence;
  entry.partition = partition.v;
  entry.records = ref.records;
  entry.base_offset = ref.base.v;
  entry.text_position = ref.text.v;
  entry.text_bytes = ref.text_bytes;
  entry.max_timestamp = ref.max_timestamp;
  std::byte raw[sizeof entry];
  wal::store(entry, raw);
  bytes.put(ref.at.byte(), raw);
}

void put_file_headers(const wal::SegmentBytes& bytes, const BatchRef& ref, int64_t base_timestamp,
                      PartitionId partition, int32_t leader_epoch) {
  put_entry_header(bytes, ref, partition, wal::kEntryFromFile);
  BatchHeader header;
  header.base_offset = ref.base;
  header.batch_length = static_cast<int32_t>(ref.bytes - kBatchLengthEnd);
  header.partition_leader_epoch = leader_epoch;
  header.last_offset_delta = static_cast<int32_t>(ref.records) - 1;
  header.base_timestamp = base_timestamp;
  header.max_timestamp = ref.max_timestamp;
  header.record_count = static_cast<int32_t>(ref.records);
  BatchHeaderBytes raw;
  header.store(raw);
  bytes.put(ref.at.byte() + sizeof(wal::EntryHeader), raw);
}

}  // namespace topicfs
