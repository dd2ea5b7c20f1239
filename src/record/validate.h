// Whether a batch from a Kafka producer may enter the log, and how long it is as text: one pass
// over its bytes that keeps nothing, decompressing where needed, as Kafka's broker does.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/batch.h"
#include "record/records.h"

namespace topicfs {

/// Why a batch is refused, as finely as Kafka's error codes tell it. The comment names the code,
/// and the Errc that the error carries.
enum class BatchFault {
  corrupt_message,          ///< 2, kCorrupt: CRC, sizes, a magic that never was
  too_large,                ///< 10, kTooLarge: as stored, or as text
  invalid_record,           ///< 87, kInvalidArgument: a rule is broken
  old_magic,                ///< 87, kUnsupported: magic 0 or 1
  unsupported_compression,  ///< 76, kUnsupported: zstd where the client's protocol has none
  invalid_timestamp,        ///< 32, kInvalidArgument: outside of the topic's limits
  unknown_codec,            ///< -1, kUnsupported
  undecodable,              ///< -1, kCorrupt: the compressed payload is damaged
  no_memory,                ///< 7 (retriable), kFull: decompression found none
};

/// "corrupt message", ...: what an error's text starts with.
std::string_view name_of(BatchFault fault);
Errc errc_of(BatchFault fault);
/// The fault behind an error of validate_batch, also after it has travelled as Errc and text;
/// nullopt for errors from elsewhere.
std::optional<BatchFault> fault_of(const Error& error);

inline constexpr size_t kMaxRecordFaults = 100;  ///< Error::records, of one batch

enum class Require { no, yes };

struct ValidateLimits {
  size_t max_batch_bytes = 1 << 20;    ///< max.message.bytes
  uint64_t max_text_bytes = 64 << 20;  ///< --max-batch-text
  Require keys = Require::no;          ///< yes: the topic is compacted
  bool allow_zstd = true;              ///< false: Produce below version 7
  /// CreateTime limits (message.timestamp.before.max.ms, after.max.ms, as points in time).
  int64_t min_timestamp = std::numeric_limits<int64_t>::min();
  int64_t max_timestamp = std::numeric_limits<int64_t>::max();
};

struct ValidatedBatch {
  BatchHeader header;                    ///< the copy that was checked: trust this, not the memory
  size_t size_bytes = 0;                 ///< of the batch; fewer than given if a few stray bytes follow it
  int32_t record_count = 0;              ///< lastOffsetDelta + 1: offsets that it takes
  uint64_t text_size_bytes = 0;          ///< length in the text view
  int64_t max_timestamp = kNoTimestamp;  ///< of the records: what the header should have said

  Codec codec() const { return header.codec(); }
  /// Under CreateTime the header must be corrected with rewrite_times before it is stored.
  bool needs_rewrite() const { return header.max_timestamp != max_timestamp || header.has_log_append_time(); }
};

/// Checks `batch`: exactly one batch of magic 2 at base offset 0, its sizes, CRC, counts, codec,
/// that every record decodes, has its place as offset delta and fits its timestamps, that nothing
/// but up to 11 stray bytes follows (Kafka ignores those; don't store them), no control batch, a
/// base sequence if there is a producer id. `batch` may be memory that another process writes to:
/// the outcome holds for bytes that hash to header.crc, so whoever copies the batch afterwards
/// checks the copy (crc32c_copy).
Result<ValidatedBatch> validate_batch(ByteSpan batch, const ValidateLimits& limits);

}  // namespace topicfs
