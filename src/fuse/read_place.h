// ReadPlace: which text a read at an offset means, for one open file description.
//
// Positions are stable: offset and text position are the same number, below the log start there are zeros. With
// deleted=skip, who reads from 0 on, one read behind the other, skips what retention has deleted and gets what lives
// instead, as cat and grep want it; so does tail, which looks at the end first and goes back to 0 if it finds too few
// lines there. Nobody reads at 0 to get zeros.
#pragma once

#include <topicfs/types.h>

namespace topicfs::fuse {

enum class Deleted { skip, hole };

class ReadPlace {
 public:
  explicit ReadPlace(Deleted deleted) : deleted_(deleted) {}

  /// The text position that a read at `offset` means now.
  TextPosition find(int64_t offset, TextPosition text_start) {
    if (deleted_ == Deleted::hole) return TextPosition(offset);
    if (offset == 0) {
      skips_ = true;
      next_ = skipped_ = 0;
    }
    if (!skips_ || offset != next_) return TextPosition(offset);
    if (offset + skipped_ < text_start.v) skipped_ = text_start.v - offset;
    return TextPosition(offset + skipped_);
  }
  /// A read at `offset` has brought `size` bytes.
  void advance(int64_t offset, size_t size) {
    if (skips_ && offset == next_) next_ = offset + static_cast<int64_t>(size);
  }

 private:
  Deleted deleted_;
  bool skips_ = false;   // there was a read at 0
  int64_t next_ = 0;     // where a sequential reader goes on
  int64_t skipped_ = 0;  // deleted bytes that it did not see
};

}  // namespace topicfs::fuse
