// Building a batch of file lines in place: records are written one after another behind a gap of
// kBatchHeaderBytes, the header when it is known where the batch ends. Bytes leave through a sink,
// `void(ByteSpan)`, so that the caller may scatter them over chunks of memory. Records have no key,
// and no headers but the one that marks a line without a newline.
#pragma once

#include <array>
#include <cstdint>

#include "codec/crc32c.h"
#include "record/batch.h"
#include "record/lines.h"
#include "record/records.h"

namespace topicfs {

/// What a record adds to its value, at most: lengths and deltas, and the marker.
inline constexpr size_t kMaxRecordPrefixBytes = 27;
inline constexpr size_t kMaxRecordSuffixBytes = 19;
inline constexpr size_t kMaxRecordOverheadBytes = kMaxRecordPrefixBytes + kMaxRecordSuffixBytes;
/// Lengths are int32; the engine's limits are far below.
inline constexpr size_t kMaxValueBytes = 1 << 30;

/// The bytes around a record's value.
struct RecordFrame {
  std::array<std::byte, kMaxRecordPrefixBytes> prefix_bytes;
  uint8_t prefix_size = 0;
  ByteSpan suffix;

  ByteSpan prefix() const { return {prefix_bytes.data(), prefix_size}; }
};
RecordFrame frame_record(size_t value_bytes, int64_t timestamp_delta, int32_t offset_delta, Ending ending);

/// How long a record will be, exactly.
size_t record_size(size_t value_bytes, int64_t timestamp_delta, int32_t offset_delta, Ending ending);

/// Writes one record whose value is `value`, in one to a few calls of `sink`.
template <class Sink>
void write_record(ByteSpan value, int64_t timestamp_delta, int32_t offset_delta, Ending ending, Sink&& sink) {
  const RecordFrame frame = frame_record(value.size(), timestamp_delta, offset_delta, ending);
  sink(frame.prefix());
  if (!value.empty()) sink(value);
  sink(frame.suffix);
}

/// What some lines come to as records.
struct LinesPlan {
  static constexpr size_t kRemembered = 4;

  int32_t record_count = 0;
  size_t records_bytes = 0;  ///< encoded
  size_t text_bytes = 0;     ///< as they show
  struct Known {
    size_t size = 0;
    Ending ending = Ending::newline;
  };
  /// The lines, if they are not more: who writes them need not look for the ends of long ones again.
  std::array<Known, kRemembered> known{};
};

/// How many lines are planned even if they exceed the limit.
enum class Least { none, one };

/// Counts the lines from `lines` on, all stamped `timestamp_delta`, the first as `first_offset_delta`,
/// up to the end of the text or as many as fit in `max_records_bytes`, and moves `lines` past them.
/// record_count 0: the end, or not even one fits.
LinesPlan plan_records(LineSplitter& lines, int64_t timestamp_delta, int32_t first_offset_delta,
                       size_t max_records_bytes, Least least = Least::none);

/// Writes the lines of a plan that was made from the same place of the same text, in whatever pieces,
/// and moves `lines` past them.
template <class Sink>
void write_records(LineSplitter& lines, const LinesPlan& plan, int64_t timestamp_delta, int32_t first_offset_delta,
                   Sink&& sink) {
  const bool remembered = plan.record_count <= static_cast<int32_t>(LinesPlan::kRemembered);
  Line line;
  for (int32_t i = 0; i < plan.record_count; ++i) {
    if (remembered) {
      const LinesPlan::Known& known = plan.known[static_cast<size_t>(i)];
      line = lines.take(known.size, known.ending);
    } else if (!lines.next(line)) {
      break;
    }
    const RecordFrame frame = frame_record(line.size, timestamp_delta, first_offset_delta + i, line.ending);
    sink(frame.prefix());
    lines.read_value(line, sink);
    sink(frame.suffix);
  }
}

/// What the header of a batch of lines says.
struct FileBatch {
  Offset base_offset{0};
  int32_t partition_leader_epoch = 0;
  int32_t record_count = 0;  ///< at least 1
  size_t records_bytes = 0;  ///< encoded
  int64_t base_timestamp = 0;
  int64_t max_timestamp = 0;
  TimestampType timestamp_type = TimestampType::create_time;
};

/// The header, CRC included: of the records' own CRC (crc32c from seed 0, kept up to date while
/// they were written, or taken with crc32c_copy), or of the records in pieces, which are read.
BatchHeaderBytes finish_header(const FileBatch& batch, uint32_t records_crc);
BatchHeaderBytes finish_header(const FileBatch& batch, std::span<const ByteSpan> records);

}  // namespace topicfs
