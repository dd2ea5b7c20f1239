#include "record/text.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace topicfs {
namespace {

constexpr std::byte kNewline{'\n'};

tl::unexpected<Error> wrong_length(uint64_t text_size_bytes) {
  return fail(Errc::kCorrupt,
              fmt::format("record batch does not have the {} bytes of text that it was counted to have",
                          text_size_bytes));
}

/// Passes the bytes [begin, end) of a text that comes in pieces on to a sink.
template <class Sink>
class Window {
 public:
  Window(uint64_t begin, uint64_t end, Sink& sink) : begin_(begin), end_(end), sink_(sink) {}

  bool is_past() const { return position_ >= end_; }
  uint64_t position() const { return position_; }
  bool wants_any_of(uint64_t n) const { return position_ + n > begin_ && position_ < end_; }
  void pass_over(uint64_t n) { position_ += n; }
  void take(ByteSpan bytes) {
    const uint64_t from = std::max(begin_, position_), to = std::min(end_, position_ + bytes.size());
    if (from < to) sink_(bytes.subspan(from - position_, to - from));
    position_ += bytes.size();
  }

 private:
  uint64_t begin_, end_, position_ = 0;
  Sink& sink_;
};

/// `sink(ByteSpan)` gets the text's bytes [skip, end); for uncompressed records its values are
/// pieces of the records' own memory, newlines never are.
template <class Sink>
Result<void> render(const RecordsView& records, uint64_t text_size, uint64_t skip, uint64_t end,
                    Sink&& sink) {
  if (skip >= end) return {};
  if (records.is_control) return wrong_length(text_size);
  RecordReader reader(records);
  Window window(skip, end, sink);
  // A window that reaches the text's end goes on to the last record, to see that it is the end.
  for (int32_t i = 0; i < records.record_count && (!window.is_past() || end == text_size); ++i) {
    Record record;
    if (!reader.begin(record)) return tl::unexpected<Error>(reader.error());
    bool read = false;
    if (window.wants_any_of(record.value_bytes())) {
      read = reader.read_value([&](ByteSpan bytes) { window.take(bytes); });
    } else {
      read = reader.skip_value();
      window.pass_over(record.value_bytes());
    }
    if (!read) return tl::unexpected<Error>(reader.error());
    if (window.is_past() && end != text_size) return {};
    if (!reader.end(record)) return tl::unexpected<Error>(reader.error());
    if (!record.is_partial) window.take(ByteSpan(&kNewline, 1));
  }
  if (end == text_size ? window.position() != text_size : !window.is_past()) return wrong_length(text_size);
  return {};
}

}  // namespace

Result<size_t> render_text(const RecordsView& records, uint64_t text_size_bytes, uint64_t skip,
                           MutableByteSpan out) {
  if (skip >= text_size_bytes) return size_t{0};
  const uint64_t n = std::min<uint64_t>(out.size(), text_size_bytes - skip);
  std::byte* to = out.data();
  TRY(render(records, text_size_bytes, skip, skip + n, [&](ByteSpan bytes) {
    std::memcpy(to, bytes.data(), bytes.size());
    to += bytes.size();
  }));
  return static_cast<size_t>(n);
}

Result<void> TextGather::add(const RecordsView& records, uint64_t text_size_bytes, uint64_t skip) {
  if (skip >= text_size_bytes || is_full()) return {};
  const uint64_t n = std::min<uint64_t>(max_bytes_ - size_, text_size_bytes - skip);
  // The piece before may grow; what is added now is dropped again if the batch is damaged.
  const size_t size = size_, piece_count = pieces_.size(), buffer_used = buffer_used_;
  const ByteSpan last = pieces_.empty() ? ByteSpan{} : pieces_.back();
  const bool direct = records.codec == Codec::none;
  auto added = render(records, text_size_bytes, skip, skip + n, [&](ByteSpan bytes) {
    if (direct)
      direct_or_copy(bytes);
    else
      copy(bytes);
  });
  if (!added) {
    size_ = size, buffer_used_ = buffer_used;
    pieces_.resize(piece_count);
    if (!pieces_.empty()) pieces_.back() = last;
  }
  return added;
}

void TextGather::add_copy(ByteSpan bytes) {
  bytes = bytes.first(std::min(bytes.size(), max_bytes_ - size_));
  if (!bytes.empty()) copy(bytes);
}

void TextGather::direct_or_copy(ByteSpan bytes) {
  if (bytes.size() < kMinDirectBytes || pieces_.size() + 1 >= kMaxPieces) return copy(bytes);
  pieces_.push_back(bytes);
  size_ += bytes.size();
}

void TextGather::copy(ByteSpan bytes) {
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<std::byte[]>(max_bytes_);
  MUST(bytes.size() <= max_bytes_ - buffer_used_);
  std::byte* to = buffer_.get() + buffer_used_;
  std::memcpy(to, bytes.data(), bytes.size());
  buffer_used_ += bytes.size();
  size_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().data() + pieces_.back().size() == to) {
    pieces_.back() = ByteSpan(pieces_.back().data(), pieces_.back().size() + bytes.size());
  } else {
    pieces_.push_back(ByteSpan(to, bytes.size()));
  }
}

}  // namespace topicfs
