// The records of a batch, one after another, wherever their bytes lie and however they are
// compressed. The grammar (varint and varlong are zigzag, KIP-98):
//
//   record := length: varint of all that follows,
//             attributes: int8 (unused), timestampDelta: varlong, offsetDelta: varint,
//             keyLength: varint (-1: null), key, valueLength: varint (-1: null), value,
//             headerCount: varint, header*
//   header := keyLength: varint, key, valueLength: varint (-1: null), value
//
// The bytes are hostile, and another process may change them meanwhile: each is read once, and
// none is read outside of its record.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

#include "codec/byte_source.h"
#include "codec/varint.h"
#include "record/batch.h"

namespace topicfs {

/// A record that has a header with this key and a null or empty value came from a file write
/// without a final newline, and shows without one.
inline constexpr std::string_view kPartialHeaderKey = "topicfs.partial";

/// No batch's records are decompressed beyond this, whatever they claim.
inline constexpr uint64_t kMaxDecodedBatchBytes = 256 << 20;

/// The records section of a batch as a part of a gather list. It says of itself what a finished
/// header would say, because the newest batch of a file has none yet.
struct RecordsView {
  std::span<const ByteSpan> pieces;
  size_t begin = 0;  ///< the records start at this byte of `pieces`
  size_t size = 0;   ///< and are this long as stored
  Codec codec = Codec::none;
  int32_t record_count = 0;
  bool is_control = false;  ///< a control batch shows as nothing

  /// Of a whole batch whose header has been parsed; kCorrupt if `pieces` is shorter than it says.
  static Result<RecordsView> of_batch(const BatchHeader& header, std::span<const ByteSpan> pieces);
};

struct Record {
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  int32_t key_size = -1;    ///< -1: null
  int32_t value_size = -1;  ///< -1: null
  bool is_partial = false;  ///< known when the record has ended

  size_t value_bytes() const { return value_size > 0 ? static_cast<size_t>(value_size) : 0; }
  size_t text_bytes() const { return value_bytes() + (is_partial ? 0 : 1); }
};

/// Reads records in three steps each: begin(record), then read_value(sink) or skip_value(), then
/// end(record). Any step returns false when it fails; error() then says why, and the reader is done.
/// The view's pieces and their bytes outlive the reader.
class RecordReader {
 public:
  explicit RecordReader(const RecordsView& view);
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  /// The next record up to its value. Fails too where the records end: who counts does not ask.
  bool begin(Record& record);
  bool skip_value() {
    if (value_left_ > window_bytes()) [[unlikely]]
      return skip(value_left_);
    p_ += value_left_;
    value_left_ = 0;
    return true;
  }
  /// `sink(ByteSpan)` gets the value in one or more pieces, each valid until it returns; for
  /// uncompressed records they are the view's own memory.
  template <class Sink>
  bool read_value(Sink&& sink) {
    while (value_left_ != 0) {
      if (!more()) return false;
      const size_t n = std::min<size_t>(value_left_, static_cast<size_t>(window_end_ - p_));
      sink(ByteSpan(p_, n));
      p_ += n;
      value_left_ -= static_cast<uint32_t>(n);
    }
    return true;
  }
  /// Headers and the record's end.
  bool end(Record& record) {
    record.is_partial = false;
    if (p_ == window_end_ || position() + 1 != record_end_ || load_once(p_) != 0)
      return end_with_headers(record);
    ++p_;
    return true;
  }

  /// After the last record: whether no byte is left. Decoding errors of the rest count as bytes.
  bool at_end() { return !failed_ && p_ == window_end_ && !refill() && source_ended_; }

  bool failed() const { return failed_; }
  /// After a failure. kCorrupt; kTooLarge and kFull from decompression.
  const Error& error() const { return error_; }
  /// The payload did not decode, as opposed to: it decoded to something that is no record.
  bool failed_decoding() const { return failed_decoding_; }

 private:
  template <class I>
  bool varint(I& value) {
    constexpr size_t kLongest = sizeof(I) == 4 ? kMaxVarintBytes : kMaxVarlongBytes;
    if (window_bytes() < kLongest) [[unlikely]]
      return slow_varint(value);
    const std::byte* end = decode_varint(p_, p_ + kLongest, value);
    if (!end) [[unlikely]]
      return malformed("a number is too long");
    p_ = end;
    return true;
  }
  bool numbers(Record& record, int32_t& size);
  bool slow_numbers(Record& record, int32_t& size);
  bool end_with_headers(Record& record);
  template <class I>
  bool slow_varint(I& value);
  bool skip(uint32_t& n);
  bool take(MutableByteSpan to);
  bool read_header(Record& record);
  bool refill();
  /// There is a byte at p_; the records may not end here.
  bool more() {
    if (p_ != window_end_ || refill()) return true;
    return failed_ ? false : malformed("the records end too soon");
  }
  bool malformed(const char* why);
  size_t window_bytes() const { return static_cast<size_t>(window_end_ - p_); }
  uint64_t position() const { return window_end_position_ - static_cast<uint64_t>(window_end_ - p_); }
  /// A length field: -1 (or 0, if null is not allowed) up to what is left of the record.
  bool fits(int32_t n, int32_t lowest);
  bool length(int32_t& n, int32_t lowest) { return varint(n) && fits(n, lowest); }

  PiecesSource plain_;
  std::unique_ptr<ByteSource> decompressor_;
  ByteSource* source_;
  const std::byte* p_ = nullptr;
  const std::byte* window_end_ = nullptr;
  uint64_t window_end_position_ = 0;  // in the decoded stream
  uint64_t record_end_ = 0;           // likewise
  uint32_t value_left_ = 0;
  bool failed_ = false, failed_decoding_ = false, source_ended_ = false;
  Error error_;
};

/// Calls `visit(const Record&)` for every record until it returns Flow::stop. kCorrupt if the
/// records are not what the view claims.
template <class Visit>
Result<void> for_each_record(const RecordsView& view, Visit&& visit) {
  RecordReader reader(view);
  for (int32_t i = 0; i < view.record_count; ++i) {
    Record record;
    if (!reader.begin(record) || !reader.skip_value() || !reader.end(record))
      return tl::unexpected<Error>(reader.error());
    if (visit(std::as_const(record)) == Flow::stop) return {};
  }
  if (!reader.at_end()) return fail(Errc::kCorrupt, "there are bytes behind the last record of a batch");
  return {};
}

}  // namespace topicfs
