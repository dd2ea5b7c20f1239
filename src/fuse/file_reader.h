// FileReader: what one open file description reads. A follow file's reader waits at the end until
// the partition grows; a waiting read is an entry in Followers, not a thread.
#pragma once

#include <topicfs/engine.h>

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "fuse/answer.h"
#include "fuse/interrupt.h"
#include "fuse/read_place.h"
#include "fuse/text_ahead.h"

namespace topicfs::fuse {

/// Zeros of a deleted head are answered in pieces of at most so many bytes.
inline constexpr size_t kMaxZerosBytes = 1 << 20;

struct ReadRequest {
  int64_t offset = 0;
  size_t size = 0;
  Wait wait = Wait::yes;  ///< a follow file with O_NONBLOCK does not wait: EAGAIN
};

/// The reads that wait for a partition to grow. Bounded by the requests that the kernel has in flight.
/// Shared by the file system, its readers, and tasks that are posted.
class Followers : public std::enable_shared_from_this<Followers> {
 public:
  explicit Followers(Executor& executor) : executor_(executor) {}

  /// `wake` runs once, with true when the partition may have grown, false when called off.
  using Wake = UniqueFunction<void(bool)>;
  uint64_t wait(PartitionId partition, Interrupt interrupt, Wake wake) EXCLUDES(mutex_);
  void on_visible(PartitionId partition) EXCLUDES(mutex_);  ///< wakes on the executor
  void call_off(uint64_t number) EXCLUDES(mutex_);
  /// Wakes a wait at once, if it still waits: the caller has seen what it missed.
  void wake_now(uint64_t number) EXCLUDES(mutex_);
  /// Calls off all waits, and those to come.
  void stop() EXCLUDES(mutex_);

 private:
  struct Waiter {
    PartitionId partition;
    Wake wake;
  };
  Wake take(uint64_t number) EXCLUDES(mutex_);

  Executor& executor_;
  std::atomic<size_t> count_{0};  // so that on_visible is cheap when nobody follows
  Mutex mutex_;
  std::unordered_map<uint64_t, Waiter> waiters_ GUARDED_BY(mutex_);
  std::unordered_multimap<PartitionId, uint64_t> by_partition_ GUARDED_BY(mutex_);
  uint64_t last_number_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

class FileReader : public std::enable_shared_from_this<FileReader> {
 public:
  enum class AtEnd { answer, wait };

  FileReader(Engine& engine, std::shared_ptr<Followers> followers, std::shared_ptr<AheadContext> ahead,
             PartitionId partition, Deleted deleted, AtEnd at_end)
      : engine_(engine),
        followers_(std::move(followers)),
        ahead_(std::make_shared<TextAhead>(std::move(ahead), partition)),
        partition_(partition),
        at_end_(at_end),
        place_(deleted) {}

  /// Text from the file; none at the end. Fewer bytes than asked for do not mean the end.
  void read(const ReadRequest& request, Interrupt interrupt, Reply<topicfs::Bytes> reply);

 private:
  struct Read;  // a request on its way
  void go_on(std::unique_ptr<Read> read);
  void on_text(std::unique_ptr<Read> read, Result<TextRead> text);
  void answer(std::unique_ptr<Read> read, topicfs::Bytes text);
  void wait_for_more(std::unique_ptr<Read> read, TextPosition from);

  Engine& engine_;
  const std::shared_ptr<Followers> followers_;
  const std::shared_ptr<TextAhead> ahead_;  // shared with what it makes ready on another thread
  const PartitionId partition_;
  const AtEnd at_end_;
  Mutex mutex_;
  ReadPlace place_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::fuse
