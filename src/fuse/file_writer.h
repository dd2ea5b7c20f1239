// FileWriter: what one open file description appends. It keeps the line that is not finished yet
// and joins it with what the next write brings, so that block-buffered writers and concurrent
// appenders tear no lines; all complete lines of a write go to the engine in one call.
//
// One append is in flight at a time; what comes meanwhile (a close beside a waiting write) queues.
// The unfinished line becomes a marked record at flush, sync, after a time-out, and when it
// would outgrow its bound. If appending it fails it is kept, and the next of these tries again.
#pragma once

#include <topicfs/engine.h>

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "fuse/answer.h"
#include "fuse/interrupt.h"
#include "fuse/nodes.h"
#include "record/framing.h"

namespace topicfs::fuse {

/// Largest WRITE request: 256 pages, the kernel's own limit.
inline constexpr size_t kMaxWriteBytes = 1 << 20;
static_assert(kMaxWriteBytes + kMaxPendingLineBytes <= kMaxTextAppendBytes);
/// Unfinished lines of all open files together; beyond it, they become records at once.
inline constexpr size_t kMaxUnfinishedTotalBytes = 64 << 20;

/// What all writers of a mount share.
struct WriterContext {
  Engine& engine;
  Executor& executor;
  Clock& clock;
  std::chrono::nanoseconds unfinished_timeout;
  std::atomic<size_t> unfinished_bytes{0};  ///< kept by all writers
};

struct WriteRequest {
  int64_t offset = 0;       ///< where the kernel thinks it writes
  ByteSpan bytes;           ///< valid until `write` returns; at most kMaxWriteBytes
  bool append = true;       ///< O_APPEND: wherever the end is; else `offset` must be the end
  Ack ack = Ack::buffered;  ///< durable: O_SYNC, O_DSYNC
  Wait wait = Wait::yes;    ///< no: O_NONBLOCK
  /// Where `bytes` are, alone, or null. The writer may move it away, to keep them without a copy.
  std::shared_ptr<std::byte>* memory = nullptr;
};

class FileWriter : public std::enable_shared_from_this<FileWriter> {
 public:
  FileWriter(std::shared_ptr<WriterContext> context, std::shared_ptr<Node> node);
  ~FileWriter();

  /// Answers the number of bytes taken: all, or an error and none. EPERM: not at the end.
  /// Never blocks; interruptible while it waits for room.
  void write(const WriteRequest& request, Interrupt interrupt, Reply<size_t> reply) EXCLUDES(mutex_);
  /// The unfinished line becomes a record. Interruptible while it waits for room: the line is kept then.
  void flush(Interrupt interrupt, Reply<size_t> reply) EXCLUDES(mutex_);
  /// As flush; then all of the partition is durable.
  void sync(Interrupt interrupt, Reply<size_t> reply) EXCLUDES(mutex_);
  /// The descriptor is gone: a last flush; what that can't append is lost, and logged.
  void release() EXCLUDES(mutex_);
  /// Bytes of the unfinished line: this file's end of file is so much behind the partition's.
  size_t unfinished_size() EXCLUDES(mutex_);

 private:
  using Bytes = std::vector<std::byte>;
  /// The append in flight. `submitting` until append_text has returned: an answer that comes
  /// sooner waits in `result` for the submitter, who still has the request's bytes.
  struct Append {
    bool active = false, submitting = false, done = false;
    Result<Appended> result;
    Bytes rest;  // a copy of what is unfinished after it, where the answer comes later
    Reply<size_t> reply;
    size_t size = 0;  // what to reply
  };

  /// Appends what the plan says; `bytes` are the request's. Unlocks, and answers if the engine does.
  void start(MutexLock& lock, const FramingPlan& plan, ByteSpan bytes, AppendOptions options,
             Interrupt interrupt, Reply<size_t> reply) NO_THREAD_SAFETY_ANALYSIS;
  void start_release(MutexLock& lock, Interrupt interrupt, Reply<size_t> reply) NO_THREAD_SAFETY_ANALYSIS;
  void on_appended(Result<Appended> result) EXCLUDES(mutex_);
  /// Answers the append in flight, whose plan is settled, and goes on with the queue. Unlocks;
  /// unless the caller holds a reference, the writer may be gone afterwards.
  void finish(MutexLock& lock, Result<Appended> result) NO_THREAD_SAFETY_ANALYSIS;
  void run_queue() EXCLUDES(mutex_);
  void accept(const FramingPlan& plan, std::shared_ptr<std::byte>* memory = nullptr) REQUIRES(mutex_);
  void accept_later(ByteSpan rest) REQUIRES(mutex_);
  void note_unfinished(size_t before) REQUIRES(mutex_);
  void set_timer() REQUIRES(mutex_);
  void on_timer() EXCLUDES(mutex_);
  bool at_the_end(int64_t offset) REQUIRES(mutex_);

  const std::shared_ptr<WriterContext> context_;
  const std::shared_ptr<Node> node_;
  Mutex mutex_;
  LineFramer framer_ GUARDED_BY(mutex_);
  Append append_ GUARDED_BY(mutex_);
  std::deque<Task> queue_ GUARDED_BY(mutex_);  // bounded by the requests that the kernel has in flight
  MonotonicTime unfinished_since_ GUARDED_BY(mutex_){0};  // 0: nothing is unfinished
  TimerId timer_ GUARDED_BY(mutex_) = 0;
  bool released_ GUARDED_BY(mutex_) = false;
};

}  // namespace topicfs::fuse
