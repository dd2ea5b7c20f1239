// Framing: how the bytes of writes to a file become lines. A LineFramer belongs to one open file
// description and holds its unfinished line; it has no clock and does no I/O.
//
// Use: plan() a write, append what the plan says, then accept() the plan; or, if the append was
// refused, forget it, and nothing has happened.
#pragma once

#include <topicfs/engine.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace topicfs {

/// The longest unfinished line that a handle holds; a longer one is cut into records.
inline constexpr size_t kMaxPendingLineBytes = 1 << 20;

/// A write's memory is kept rather than copied if so many of its bytes are unfinished; it is not larger than so many.
inline constexpr size_t kLeastKeptBytes = 512 << 10, kMaxKeptMemoryBytes = 2 << 20;

enum class Unfinished {
  hold,     ///< the unfinished line waits for what the next write brings
  release,  ///< it becomes a record now: fsync, O_DSYNC, flush, close, a time-out
};

/// What to do with one write. Refers to the write's bytes and to the framer's.
class FramingPlan {
 public:
  /// For Engine::append_text; empty: nothing to append.
  std::span<const ByteSpan> pieces() const { return {pieces_.data(), piece_count_}; }
  LastLine last() const { return last_; }
  size_t size() const { return size_; }  ///< of the pieces
  bool appends() const { return size_ != 0; }

 private:
  friend class LineFramer;
  void add(ByteSpan piece);

  std::array<ByteSpan, 2> pieces_{};
  size_t piece_count_ = 0, size_ = 0;
  LastLine last_ = LastLine::complete;
  ByteSpan rest_;  // of the write: becomes, or joins, the pending line
};

class LineFramer {
 public:
  /// `data` may be empty, to release what is pending. All complete lines go, with the pending
  /// bytes in front; the rest is held, unless it is to be released or grows beyond
  /// `max_pending_bytes`: then everything goes, and the last line is LastLine::unfinished.
  /// No byte is copied. The plan holds until the next accept() and while `data` does.
  FramingPlan plan(ByteSpan data, Unfinished unfinished = Unfinished::hold) const;
  /// The plan has been carried out. Copies what stays unfinished; but if that is large, and `memory` holds the write's
  /// bytes, it moves the memory away and keeps that.
  void accept(const FramingPlan& plan, std::shared_ptr<std::byte>* memory = nullptr);

  /// Bytes written but not yet appended: they count for the end of file that this handle sees.
  ByteSpan pending() const { return kept_ ? kept_bytes_ : ByteSpan(pending_); }
  /// Memory that the pending bytes take, about.
  size_t held_bytes() const { return kept_ ? kMaxKeptMemoryBytes : pending_.size(); }
  /// Drops the pending bytes: the handle is gone or its partition is.
  void clear();

  explicit LineFramer(size_t max_pending_bytes = kMaxPendingLineBytes)
      : max_pending_bytes_(max_pending_bytes) {}

 private:
  size_t max_pending_bytes_;
  std::vector<std::byte> pending_;  // never holds a newline
  std::shared_ptr<std::byte> kept_;  // or else a write's memory, in which they are
  ByteSpan kept_bytes_;
};

}  // namespace topicfs
