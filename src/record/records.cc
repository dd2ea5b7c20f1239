#include "record/records.h"

#include <fmt/core.h>

#include <cstring>

namespace topicfs {
namespace {

constexpr int32_t kMinRecordLength = 6;  // attributes, and five numbers of a byte each
constexpr int32_t kMinHeaderBytes = 2;

}  // namespace

Result<RecordsView> RecordsView::of_batch(const BatchHeader& header, std::span<const ByteSpan> pieces) {
  if (total_size(pieces) < header.size_bytes())
    return fail(Errc::kCorrupt, fmt::format("record batch of {} bytes is cut off", header.size_bytes()));
  return RecordsView{pieces,         kBatchHeaderBytes,   header.records_size_bytes(),
                     header.codec(), header.record_count, header.is_control()};
}

RecordReader::RecordReader(const RecordsView& view)
    : plain_(view.pieces, view.begin, view.size), source_(&plain_) {
  if (view.codec == Codec::none) return;
  decompressor_ = open_decompressor(view.codec, plain_, kMaxDecodedBatchBytes);
  source_ = decompressor_.get();
}

bool RecordReader::malformed(const char* why) {
  failed_ = true;
  p_ = window_end_;
  error_ = Error{Errc::kCorrupt, 0, fmt::format("malformed record: {}", why)};
  return false;
}

bool RecordReader::refill() {
  if (failed_ || source_ended_) return false;
  Result<ByteSpan> window = source_->next();
  if (!window) {
    failed_ = failed_decoding_ = true;
    error_ = std::move(window).error();
    return false;
  }
  source_ended_ = window->empty();
  p_ = window->data();
  window_end_ = p_ + window->size();
  window_end_position_ += window->size();
  return !source_ended_;
}

bool RecordReader::skip(uint32_t& n) {
  while (n != 0) {
    if (!more()) return false;
    const uint32_t step = static_cast<uint32_t>(std::min<size_t>(n, static_cast<size_t>(window_end_ - p_)));
    p_ += step;
    n -= step;
  }
  return true;
}

bool RecordReader::take(MutableByteSpan to) {
  while (!to.empty()) {
    if (!more()) return false;
    const size_t n = std::min(to.size(), static_cast<size_t>(window_end_ - p_));
    std::memcpy(to.data(), p_, n);
    p_ += n;
    to = to.subspan(n);
  }
  return true;
}

template <class I>
bool RecordReader::slow_varint(I& value) {
  std::byte bytes[kMaxVarlongBytes];
  for (size_t n = 0; n < (sizeof(I) == 4 ? kMaxVarintBytes : kMaxVarlongBytes);) {
    if (!take({bytes + n, 1})) return false;
    const bool last = static_cast<uint8_t>(bytes[n++]) < 0x80;
    if (last) return decode_varint(bytes, bytes + n, value) ? true : malformed("a number is too long");
  }
  return malformed("a number is too long");
}

bool RecordReader::fits(int32_t n, int32_t lowest) {
  const uint64_t at = position();
  if (n < lowest || at > record_end_ || (n > 0 && static_cast<uint64_t>(n) > record_end_ - at))
    return malformed("a length leaves its record");
  return true;
}

/// The numbers up to the key's length, read in registers where the window surely holds them.
bool RecordReader::numbers(Record& record, int32_t& size) {
  constexpr size_t kLongest = 3 * kMaxVarintBytes + 1 + kMaxVarlongBytes;
  if (window_bytes() < kLongest) [[unlikely]]
    return slow_numbers(record, size);
  const std::byte* p = decode_varint(p_, p_ + kMaxVarintBytes, size);
  if (!p) return malformed("a number is too long");
  record_end_ = window_end_position_ - static_cast<uint64_t>(window_end_ - p) + static_cast<uint64_t>(size);
  ++p;  // attributes
  p = decode_varint(p, p + kMaxVarlongBytes, record.timestamp_delta);
  if (p) p = decode_varint(p, p + kMaxVarintBytes, record.offset_delta);
  if (p) p = decode_varint(p, p + kMaxVarintBytes, record.key_size);
  if (!p) return malformed("a number is too long");
  p_ = p;
  return true;
}

bool RecordReader::slow_numbers(Record& record, int32_t& size) {
  if (!varint(size)) return false;
  record_end_ = position() + static_cast<uint64_t>(size);
  uint32_t attributes = 1;
  return skip(attributes) && varint(record.timestamp_delta) && varint(record.offset_delta) &&
         varint(record.key_size);
}

bool RecordReader::begin(Record& record) {
  int32_t size = 0;
  if (!numbers(record, size)) return false;
  if (size < kMinRecordLength) return malformed("it is too short");
  if (!fits(record.key_size, -1)) return false;
  uint32_t key_left = record.key_size > 0 ? static_cast<uint32_t>(record.key_size) : 0;
  if (!skip(key_left) || !length(record.value_size, -1)) return false;
  value_left_ = record.value_size > 0 ? static_cast<uint32_t>(record.value_size) : 0;
  return true;
}

bool RecordReader::end_with_headers(Record& record) {
  int32_t count = 0;
  if (!length(count, 0)) return false;
  if (count != 0 && static_cast<uint64_t>(count) > (record_end_ - position()) / kMinHeaderBytes)
    return malformed("its headers don't fit");
  for (int32_t i = 0; i < count; ++i) {
    if (!read_header(record)) return false;
  }
  if (position() != record_end_) return malformed("its length is wrong");
  return true;
}

bool RecordReader::read_header(Record& record) {
  int32_t key_size = 0, value_size = 0;
  if (!length(key_size, 0)) return false;
  bool is_marker = false;
  if (static_cast<size_t>(key_size) == kPartialHeaderKey.size()) {
    std::byte key[kPartialHeaderKey.size()];
    if (!take(key)) return false;
    is_marker = std::memcmp(key, kPartialHeaderKey.data(), sizeof key) == 0;
  } else {
    uint32_t key_left = static_cast<uint32_t>(key_size);
    if (!skip(key_left)) return false;
  }
  if (!length(value_size, -1)) return false;
  uint32_t value_left = value_size > 0 ? static_cast<uint32_t>(value_size) : 0;
  if (is_marker && value_size <= 0) record.is_partial = true;
  return skip(value_left);
}

}  // namespace topicfs
