#include "codec/byte_source.h"

#include <algorithm>
#include <cstring>

namespace topicfs {

size_t total_size(std::span<const ByteSpan> pieces) {
  size_t n = 0;
  for (ByteSpan piece : pieces) n += piece.size();
  return n;
}

PiecesSource::PiecesSource(std::span<const ByteSpan> pieces, size_t begin, size_t size)
    : pieces_(pieces), begin_(begin), remaining_(0) {
  while (!pieces_.empty() && begin_ >= pieces_.front().size()) {
    begin_ -= pieces_.front().size();
    pieces_ = pieces_.subspan(1);
  }
  const size_t there = total_size(pieces_);
  if (there > begin_) remaining_ = std::min(size, there - begin_);
}

PiecesSource::PiecesSource(std::span<const ByteSpan> pieces)
    : pieces_(pieces), remaining_(total_size(pieces)) {}

ByteSpan PiecesSource::take() {
  while (remaining_ != 0 && !pieces_.empty()) {
    ByteSpan window = pieces_.front().subspan(begin_);
    begin_ = 0;
    pieces_ = pieces_.subspan(1);
    if (window.empty()) continue;
    window = window.first(std::min(window.size(), remaining_));
    remaining_ -= window.size();
    return window;
  }
  return {};
}

bool copy_from_pieces(std::span<const ByteSpan> pieces, size_t begin, MutableByteSpan to) {
  PiecesSource source(pieces, begin, to.size());
  if (source.remaining() != to.size()) return false;
  for (ByteSpan window = source.take(); !window.empty(); window = source.take()) {
    std::memcpy(to.data(), window.data(), window.size());
    to = to.subspan(window.size());
  }
  return true;
}

}  // namespace topicfs
