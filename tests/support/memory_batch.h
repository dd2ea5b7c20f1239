// What MemoryEngine needs to know of a RecordBatch v2: check one, show it as text, build one from lines.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <topicfs/engine.h>

namespace topicfs::testing {

struct MemoryRecord {
  int32_t offset_delta = 0;
  int64_t timestamp = 0;
};

struct MemoryBatch {
  int32_t last_offset_delta = 0;
  std::vector<MemoryRecord> records;
  std::string text;  ///< as the file shows it
};

/// Checks length, magic, CRC, counts and structure. kCorrupt, kUnsupported, kInvalidArgument.
Result<MemoryBatch> parse_batch(ByteSpan batch);

/// Sets the base offset, which the CRC does not cover.
void stamp_offset(MutableByteSpan batch, Offset base);
Offset base_offset_of(ByteSpan batch);

/// One batch in which every line of `text` is a record; an unfinished last one is marked.
std::vector<std::byte> build_batch(std::string_view text, LastLine last, WallMilliseconds timestamp);

/// One batch of these values, as a producer would send it: base offset 0, no producer id.
std::vector<std::byte> build_batch(std::span<const std::string_view> values, WallMilliseconds timestamp);

}  // namespace topicfs::testing
