// Batches of lines, written in place: what a file append becomes in the log.
#pragma once

#include "engine/partition.h"
#include "record/builder.h"
#include "wal/log.h"

namespace topicfs {

/// Writes the lines of `plan` at byte `at`; returns the byte behind them.
uint32_t put_records(const wal::SegmentBytes& bytes, uint32_t at, LineSplitter& lines, const LinesPlan& plan,
                     int64_t timestamp_delta, int32_t first_offset_delta);
/// The headers of an entry and of its batch of lines. The CRCs follow when the commit is written.
void put_file_headers(const wal::SegmentBytes& bytes, const BatchRef& ref, int64_t base_timestamp, PartitionId partition,
                      int32_t leader_epoch);
/// The header of an entry whose batch is `ref`.
void put_entry_header(const wal::SegmentBytes& bytes, const BatchRef& ref, PartitionId partition, uint8_t flags);

}  // namespace topicfs
