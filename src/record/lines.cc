#include "record/lines.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace topicfs {

LineSplitter::LineSplitter(std::span<const ByteSpan> text, size_t max_value_bytes)
    : text_(text), max_value_bytes_(max_value_bytes) {
  MUST(max_value_bytes > 0);
}

bool LineSplitter::next(Line& line) {
  while (piece_ < text_.size() && begin_ == text_[piece_].size()) ++piece_, begin_ = 0;
  if (piece_ == text_.size()) return false;
  line = Line{piece_, begin_, 0, Ending::partial};
  for (; piece_ < text_.size(); ++piece_, begin_ = 0) {
    const ByteSpan rest = text_[piece_].subspan(begin_);
    if (rest.empty()) continue;
    // One byte more than fits, because a newline there ends a value of exactly the limit.
    const size_t room = max_value_bytes_ - line.size;
    const size_t window = rest.size() > room ? room + 1 : rest.size();
    if (const void* newline = std::memchr(rest.data(), '\n', window)) {
      const auto n = static_cast<size_t>(static_cast<const std::byte*>(newline) - rest.data());
      line.size += n;
      line.ending = Ending::newline;
      begin_ += n + 1;
      consumed_ += line.size + 1;
      return true;
    }
    if (rest.size() > room) {
      line.size += room;
      begin_ += room;
      consumed_ += line.size;
      return true;
    }
    line.size += rest.size();
  }
  consumed_ += line.size;
  return true;
}

Line LineSplitter::take(size_t size, Ending ending) {
  while (begin_ == text_[piece_].size()) ++piece_, begin_ = 0;
  const Line line{piece_, begin_, size, ending};
  size_t left = line.text_bytes();
  consumed_ += left;
  for (; left > text_[piece_].size() - begin_; ++piece_, begin_ = 0) left -= text_[piece_].size() - begin_;
  begin_ += left;
  return line;
}

}  // namespace topicfs
