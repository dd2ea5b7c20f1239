// LineSplitter: cuts one text, in pieces, into the records that it becomes. A cursor and nothing
// else: copy it to go over the same lines twice, once to count and once to write.
#pragma once

#include <topicfs/types.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace topicfs {

/// Whether a record shows with a newline behind its value.
enum class Ending {
  newline,
  partial,  ///< it carries the header kPartialHeaderKey
};

/// One record's value: `size` bytes from byte `begin` of pieces[piece] on, newline excluded.
struct Line {
  size_t piece = 0, begin = 0, size = 0;
  Ending ending = Ending::newline;

  size_t text_bytes() const { return size + (ending == Ending::newline ? 1 : 0); }
};

class LineSplitter {
 public:
  /// A line longer than `max_value_bytes` is cut into several, all but the last of them partial;
  /// so is the end of the text, if it has no newline: every byte shows as it came.
  LineSplitter(std::span<const ByteSpan> text, size_t max_value_bytes);

  /// False at the end of the text.
  bool next(Line& line);
  /// The next line, whose size and ending another splitter of the same text found, however it was cut into pieces.
  Line take(size_t size, Ending ending);
  /// Bytes of the text that the lines so far took.
  size_t consumed_bytes() const { return consumed_; }

  /// Calls `sink(ByteSpan)` with the line's value, piece by piece.
  template <class Sink>
  void read_value(const Line& line, Sink&& sink) const {
    size_t left = line.size;
    size_t begin = line.begin;
    for (size_t i = line.piece; left != 0; ++i, begin = 0) {
      const ByteSpan part = text_[i].subspan(begin, std::min(left, text_[i].size() - begin));
      if (!part.empty()) sink(part);
      left -= part.size();
    }
  }

 private:
  std::span<const ByteSpan> text_;
  size_t max_value_bytes_;
  size_t piece_ = 0, begin_ = 0;  // where the next line starts
  size_t consumed_ = 0;
};

}  // namespace topicfs
