// TextAhead: the text that a sequential reader of one open file will ask for next, made ready by another thread while the
// kernel takes what it was answered: to put lines together costs about as much as to hand them over.
//
// What is ready holds back memory of the engine's: there is little of it, for a few readers at once (more would keep all
// processors busy anyway), and it goes when nobody has asked for a while. Text at a position never changes; whether it may
// still be read there is the caller's to know.
#pragma once

#include <topicfs/engine.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace topicfs::fuse {

/// A piece is at first as long as the first of these and then doubles, up to two reads, or the second for small ones: what
/// takes longer to make ready keeps the reader from the processor that it has just left. The third is the most.
inline constexpr size_t kFirstAheadBytes = 128 << 10, kUsualAheadBytes = 256 << 10, kMaxAheadBytes = 1 << 20;
inline constexpr size_t kLeastAheadBytes = 64 << 10;    ///< a reader close to the end has it at once
inline constexpr int kMaxAhead = 8;                     ///< pieces of up to kMaxAheadBytes, of all open files together
inline constexpr MonotonicTime kKeepAhead = std::chrono::seconds(1);

/// What all readers of a mount share.
struct AheadContext {
  Engine& engine;
  Executor& executor;  ///< on which text is made ready
  Clock& clock;
  std::atomic<int> pieces{0};  ///< that are ready or being made; kept by all readers
};

class TextAhead : public std::enable_shared_from_this<TextAhead> {
 public:
  TextAhead(std::shared_ptr<AheadContext> context, PartitionId partition)
      : context_(std::move(context)), partition_(partition) {}
  ~TextAhead() { context_->pieces -= pieces_; }

  enum class Found { yes, soon, no };
  /// What a read of `size` bytes at `from` is answered, if it is ready: then in `text`, complete. Found::soon: it is on
  /// its way, and what `make_wake` answers, a Task, is called when the caller is to try again. Found::no: the caller gets
  /// it from the engine. In any case what comes behind it is made ready now if the reader is sequential; the file ends at
  /// `end`.
  template <class MakeWake>
  Found find(TextPosition from, size_t size, TextPosition end, Bytes& text, MakeWake&& make_wake) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (is_on_its_way(from, size)) {
      wake_ = make_wake();
      return Found::soon;
    }
    return take(from, size, end, text) ? Found::yes : Found::no;
  }
  /// After Found::no: the read was answered fewer bytes than it asked for.
  void on_short_read(TextPosition end) EXCLUDES(mutex_);

 private:
  struct Making {
    TextPosition from;
    size_t size;
    bool begun = false;
  };

  bool is_on_its_way(TextPosition from, size_t size) REQUIRES(mutex_);
  bool take(TextPosition from, size_t size, TextPosition end, Bytes& text) REQUIRES(mutex_);
  void drop() REQUIRES(mutex_);
  void start(TextPosition end) REQUIRES(mutex_);
  void make(uint64_t number) EXCLUDES(mutex_);
  void on_made(uint64_t number, Result<TextRead> read) EXCLUDES(mutex_);
  void count() REQUIRES(mutex_);
  void arm_timer() REQUIRES(mutex_);
  void on_timer() EXCLUDES(mutex_);

  const std::shared_ptr<AheadContext> context_;
  const PartitionId partition_;
  Mutex mutex_;
  TextPosition next_ GUARDED_BY(mutex_){-1};  // where a sequential reader goes on
  std::deque<Bytes> ready_ GUARDED_BY(mutex_);  // from there on, without a gap
  size_t ready_bytes_ GUARDED_BY(mutex_) = 0;
  std::optional<Making> making_ GUARDED_BY(mutex_);  // what comes behind it
  uint64_t number_ GUARDED_BY(mutex_) = 0;           // of the latest, also of one that was dropped
  size_t window_ GUARDED_BY(mutex_) = kFirstAheadBytes / 2;
  int pieces_ GUARDED_BY(mutex_) = 0;                // what it has added to the context's
  Task wake_ GUARDED_BY(mutex_);
  bool asked_ GUARDED_BY(mutex_) = false;  // since the timer was set
  TimerId timer_ GUARDED_BY(mutex_) = 0;
};

}  // namespace topicfs::fuse
