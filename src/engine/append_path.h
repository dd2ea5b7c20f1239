// AppendPath: from bytes in a caller's hands to a place in the log, offsets assigned, and an answer when the
// append is visible or durable. Appends that find no room wait here, in order, for a bounded time.
//
// Reserve, fill, publish: under the log's lock an append gets its offset, its text position and its place at
// once; up to kCopyUnderLock bytes are copied there and then, more after the lock is let go. Whether an idempotent
// producer's batch may be appended is judged under the same lock (append_producers.cc).
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "base/clock.h"
#include "engine/partition.h"
#include "engine/producer_table.h"
#include "record/validate.h"
#include "wal/log.h"

namespace topicfs {

inline constexpr size_t kCopyUnderLock = 16 << 10;
inline constexpr size_t kMaxFileBatchBytes = 256 << 10;       ///< a batch of lines grows to about this
inline constexpr size_t kMaxWaitingBytes = 64 << 20;         ///< of appends that wait for room
inline constexpr size_t kMaxWaiting = 100'000;
inline constexpr MonotonicTime kLookForRoom = std::chrono::seconds(1);  ///< a full disk tells nobody that it has room

struct AppendLimits {
  MonotonicTime append_timeout = std::chrono::seconds(5);
  MonotonicTime producer_expiration = std::chrono::hours(24);
  uint64_t max_batch_text = 64 << 20;
};

struct AppendCounters {
  uint64_t placed = 0;       ///< those that got a place in the log, the engine's own among them
  uint64_t waited = 0, timed_out = 0, cancelled = 0;
  uint64_t waiting = 0, waiting_bytes = 0;
};

struct ProducerCounters {
  uint64_t known = 0;        ///< a producer in a partition counts as one
  uint64_t repeated = 0;     ///< batches that were there already
  uint64_t refused = 0;      ///< batches out of order, or of an older epoch
  uint64_t expired = 0, evicted = 0;
};

/// Told when a partition's file has grown.
using OnVisible = UniqueFunction<void(PartitionId)>;

class AppendPath {
 public:
  /// `producers` has what was recovered; from now on it is guarded by the log's lock.
  AppendPath(AppendLimits limits, int32_t leader_epoch, wal::Log& log, ProducerTable& producers, Executor& executor,
             Clock& clock, OnVisible on_visible);
  ~AppendPath();

  RequestId append_text(Partition& partition, std::span<const ByteSpan> pieces, LastLine last, AppendOptions options,
                        Completion<Appended> done);
  RequestId append_batch(Partition& partition, ByteSpan batch, const ValidateLimits& limits, bool log_append_time,
                         AppendOptions options, Completion<Appended> done);
  /// One record of the engine's own: never waits behind others, and may use the log's reserve, or its share of that.
  /// kFull, kReadOnly.
  void append_control(Partition& control, std::string_view json, wal::Reserve reserve, Completion<Appended> done);
  void cancel(RequestId request);
  void sync(Partition& partition, Completion<void> done);
  /// All that has a place in the log is durable.
  void sync_all(Completion<void> done);

  /// LogClient's calls come here.
  void finish_open_entry();
  void on_room();

  /// Everything that waits for room ends with kClosed, and so does every later append but control records.
  void refuse();
  /// The same for control records.
  void stop();
  AppendCounters counters();
  ProducerCounters producer_counters();

 private:
  struct Append;
  struct Part {
    BatchRef ref;
    wal::Place place;
  };
  struct Waiting;
  struct OpenBatch;
  enum class Outcome { placed, no_room, failed, repeated };
  using WaitingList = std::vector<std::unique_ptr<Waiting>>;

  RequestId start(Append& append);
  Outcome place(Append& append) REQUIRES(log_.mutex());
  Outcome place_small_text(Append& append) REQUIRES(log_.mutex());
  Outcome place_large_text(Append& append) REQUIRES(log_.mutex());
  Outcome place_batch(Append& append) REQUIRES(log_.mutex());
  bool grow_open_batch(Append& append) REQUIRES(log_.mutex());
  Outcome judge_producer(Append& append, ProducerTable::Producer* known) REQUIRES(log_.mutex());
  void expect_again(const Append& append) REQUIRES(log_.mutex());
  void give_up_followers(WaitingList& ended) REQUIRES(log_.mutex());
  void arm_producer_timer() REQUIRES(log_.mutex());
  void on_producer_timer();
  void push_ref(Append& append, const BatchRef& ref) REQUIRES(log_.mutex());
  void finish_placing(Append& append) REQUIRES(log_.mutex());
  void fill(Append& append);
  void put_batch(Append& append, const Part& part);
  void answer(Append& append, Outcome outcome);
  RequestId wait_for_room(Append& append) REQUIRES(log_.mutex());
  void pump();
  void arm_timer() REQUIRES(log_.mutex());
  std::string why_no_room(MonotonicTime writing);
  void on_timer();
  void end_waiting(WaitingList ended, Errc code, const std::string& what);

  const AppendLimits limits_;
  const int32_t leader_epoch_;
  wal::Log& log_;
  ProducerTable& producers_;                    // of the log's lock
  Executor& executor_;
  Clock& clock_;
  OnVisible on_visible_;
  std::unique_ptr<OpenBatch> open_;             // of the log's lock; grows until its commit is closed
  std::deque<std::unique_ptr<Waiting>> waiting_;  // of the log's lock
  size_t waiting_bytes_ = 0;                    // likewise, and what follows
  RequestId next_request_ = 1;
  TimerId timer_ = 0, producer_timer_ = 0;
  bool pumping_ = false, room_came_ = false, refusing_ = false, stopped_ = false;
  MonotonicTime quiet_until_{0};                // of the timer alone
  AppendCounters counters_;
  ProducerCounters producer_counters_;
};

}  // namespace topicfs
