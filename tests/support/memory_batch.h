// What MemoryEngine needs to know of a RecordBatch v2: check one, show it as text, build one from lines.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "record/validate.h"

namespace topicfs::testing {

struct MemoryRecord {
  int32_t offset_delta = 0;
  int64_t timestamp = 0;
  size_t text_bytes = 0;
};

struct MemoryBatch {
  ValidatedBatch validated;
  std::vector<MemoryRecord> records;
  std::string text;  ///< as the file shows it
};

/// As the engine checks and reads what a producer sent.
Result<MemoryBatch> parse_batch(ByteSpan batch, const ValidateLimits& limits);

/// Gives the batch its place, and the times that the topic asks for.
void stamp(MutableByteSpan batch, const MemoryBatch& parsed, Offset base, TimestampType type, WallMilliseconds now);
Offset base_offset_of(ByteSpan batch);

/// One batch in which every line of `text` is a record; what has no newline is marked.
std::vector<std::byte> build_batch(std::string_view text, WallMilliseconds timestamp);

/// One batch of these values, as a producer would send it: base offset 0, no producer id.
std::vector<std::byte> build_batch(std::span<const std::string_view> values, WallMilliseconds timestamp);

}  // namespace topicfs::testing
