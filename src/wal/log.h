// Log: the one write-ahead log of all partitions. Who appends takes the log's lock, reserves a place,
// assigns offsets in the same breath, and fills the place; commits make everything before them durable.
// This is the writer: recovery.h reads what a crash left, segments.h keeps files and memory.
//
// One commit is in flight while the next fills. A commit starts when the device is free and any of these holds: as many
// appenders wait as the last one released; somebody waits, and the others have been given a while to come back too, a
// part of what a write takes; `sync_interval` has passed since its first entry; it is full.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "wal/segments.h"

namespace topicfs::wal {

inline constexpr size_t kMaxCommitBytes = 4 << 20;          ///< a fuller one is closed; one entry may exceed it
inline constexpr MonotonicTime kIdleClose = std::chrono::milliseconds(50);
/// How long a commit that somebody waits for is held back for others: the larger of this part of the last write's time and
/// this part of the sync interval, unless it is less than what a timer is worth.
inline constexpr int kPatienceShare = 4, kIntervalShare = 50;
inline constexpr MonotonicTime kLeastPatience = std::chrono::microseconds(100);

struct PartitionEnd {
  PartitionId partition;
  Offset end;  ///< first offset that is not part of the commit
};

/// What the log asks of the engine above it.
class LogClient {
 public:
  virtual ~LogClient() = default;
  /// A commit is about to be closed: finish the headers of what still grows. Under the log's lock.
  virtual void finish_open_entry() = 0;
  /// The log is durable up to `end`, `payload_bytes` in all, and so are these ends. No lock is held; before the
  /// commit's appenders are answered. Two commits may be told by two threads at once, in either order.
  virtual void on_durable(std::span<const PartitionEnd> ends, LogPosition end, uint64_t payload_bytes) = 0;
  /// A reservation that failed for want of room may succeed now. From any thread, the log's lock not held.
  virtual void on_room() = 0;
  /// A write or sync failed. No lock is held.
  virtual void on_poisoned(const Error& error) = 0;
};

struct LogOptions {
  MonotonicTime sync_interval = std::chrono::milliseconds(2);
};

/// Where the log goes on after recovery.
struct LogStart {
  uint32_t segment = 1;              ///< number of the next segment
  uint64_t sequence = 1;             ///< of the next entry
  uint64_t commit = 1;               ///< number of the next commit
  uint32_t previous_checksum = 0;    ///< of the last accepted commit
};

struct LogCounters {
  uint64_t commits = 0, entries = 0;
  uint64_t payload_bytes = 0;        ///< entries, headers included
  uint64_t padding_bytes = 0;        ///< the rest of what was written
  uint64_t closing_commits = 0;      ///< empty ones
  uint64_t sync_ns = 0;              ///< spent in write and sync
};

/// A place that was reserved for one entry.
struct Place {
  LogPosition at;                    ///< of the entry's header
  uint64_t sequence = 0;
  Segment* segment = nullptr;
  uint64_t commit = 0;               ///< number of the commit that will cover it
};

enum class Room { yes, no, poisoned };

/// Remembers where a partition's end stands in the commit that fills; kept by the partition.
struct EndMark {
  uint64_t commit = 0;
  uint32_t index = 0;
};

class Log final : private LogWrite {
 public:
  Log(LogOptions options, LogStart start, Segments& segments, LogDevice& device, Executor& executor, Clock& clock,
      LogClient& client);
  ~Log() override;

  Mutex& mutex() RETURN_CAPABILITY(mutex_) { return mutex_; }

  // ---- under the lock

  /// A place for an entry with `body_bytes` behind the header, which the caller writes with `bytes_at`.
  /// The body must fit: entry_footprint(body_bytes) <= max_entry_bytes().
  Room reserve(size_t body_bytes, Place& place, Reserve reserve = Reserve::keep) REQUIRES(mutex_);
  /// Room for several entries in one commit: take them next with reserve_next, and they lie in it together.
  Room make_room(uint64_t footprint, Reserve reserve = Reserve::keep) REQUIRES(mutex_);
  void reserve_next(size_t body_bytes, Place& place) REQUIRES(mutex_);
  /// Makes the last reserved entry's body longer, if it is still the log's tail and its commit still fills.
  bool extend(const Place& place, size_t old_body_bytes, size_t new_body_bytes) REQUIRES(mutex_);
  /// The commit that covers `place` waits until fill_ended is called for each fill_begun.
  void fill_begun(const Place& place) REQUIRES(mutex_);
  void fill_ended(const Place& place) REQUIRES(mutex_);
  void note_end(EndMark& mark, PartitionId partition, Offset end) REQUIRES(mutex_);
  /// `done` is called with `value` when everything reserved so far is durable, or with kReadOnly.
  void wait_durable(Completion<Appended> done, Appended value) REQUIRES(mutex_);
  /// The same for the commit of this number alone; false, and nothing is taken, if it is durable already.
  bool wait_commit(uint64_t number, Completion<Appended>& done, const Appended& value) REQUIRES(mutex_);
  /// Something was reserved: starts a commit, or sees to it that one starts in time.
  void kick() REQUIRES(mutex_);
  /// True if nothing reserved is left to make durable.
  bool all_durable() REQUIRES(mutex_);
  LogPosition durable_position() REQUIRES(mutex_) { return durable_; }
  const Error& poison() REQUIRES(mutex_) { return poison_; }
  LogCounters counters() REQUIRES(mutex_) { return counters_; }
  /// Why the disk gives the log no further segment; empty: it would, or none is needed.
  std::string disk_error() { return segments_.counts().last_error; }
  /// How long the disk has been at the write that is under way; zero: there is none.
  MonotonicTime writing_for() REQUIRES(mutex_) { return busy_ ? clock_.now() - submitted_at_ : MonotonicTime{}; }
  uint64_t next_sequence() REQUIRES(mutex_) { return next_sequence_; }
  uint64_t last_commit() REQUIRES(mutex_) { return next_commit_ - 1; }

  // ---- with or without

  SegmentBytes bytes_of(const Place& place) { return {segments_.pool(), *place.segment}; }
  uint64_t max_entry_bytes() const;
  /// Ends when no write is under way and none will begin; waiters are told kClosed. Call once, without the lock,
  /// when nobody appends any more.
  void stop();

 private:
  struct Waiter {
    Completion<Appended> done;
    Appended value;
  };
  struct Commit {
    uint64_t number = 0;
    Segment* segment = nullptr;
    uint32_t start = 0, entries_end = 0, end = 0;  // bytes of the segment
    uint32_t entries = 0, fills = 0;
    uint64_t payload_bytes = 0;  // of the log, up to its end
    MonotonicTime first{0};
    std::vector<PartitionEnd> ends;
    std::vector<Waiter> waiters;
  };

  Where prepare(std::vector<ByteSpan>& pieces) override;
  bool is_awaited() override;
  void done(Result<void> result) override;
  void finish(Commit& commit);
  struct News;
  void tell(News& news, bool goes_on);
  void answer(Commit& commit, const Result<void>& result);

  Commit& open_commit() REQUIRES(mutex_);
  void close_open() REQUIRES(mutex_);
  bool next_segment(Reserve reserve) REQUIRES(mutex_);
  bool is_kept(uint64_t footprint, Reserve reserve) REQUIRES(mutex_);
  MonotonicTime start_time() REQUIRES(mutex_);
  void maybe_start() REQUIRES(mutex_);
  void arm_timer(MonotonicTime when) REQUIRES(mutex_);
  void on_timer();
  void arm_idle_close() REQUIRES(mutex_);
  Commit take_spare() REQUIRES(mutex_);

  const LogOptions options_;
  Segments& segments_;
  LogDevice& device_;
  Executor& executor_;
  Clock& clock_;
  LogClient& client_;

  Mutex mutex_;
  CondVar idle_;
  Segment* tail_ GUARDED_BY(mutex_) = nullptr;
  uint32_t tail_byte_ GUARDED_BY(mutex_) = 0;
  bool tail_may_be_kept_ GUARDED_BY(mutex_) = false;
  uint64_t next_sequence_ GUARDED_BY(mutex_), next_commit_ GUARDED_BY(mutex_);
  Commit open_ GUARDED_BY(mutex_);
  bool has_open_ GUARDED_BY(mutex_) = false;
  std::deque<Commit> closed_ GUARDED_BY(mutex_);
  Commit in_flight_;  // of the device's thread while busy_
  bool busy_ GUARDED_BY(mutex_) = false;
  bool starved_ GUARDED_BY(mutex_) = false, stopping_ GUARDED_BY(mutex_) = false;
  bool last_was_empty_ GUARDED_BY(mutex_) = true;
  size_t last_released_ GUARDED_BY(mutex_) = 0;
  LogPosition durable_ GUARDED_BY(mutex_);
  MonotonicTime free_since_ GUARDED_BY(mutex_){0}, last_took_ GUARDED_BY(mutex_){0};  // of the device
  MonotonicTime timer_due_ GUARDED_BY(mutex_){0};
  TimerId timer_ GUARDED_BY(mutex_) = 0, idle_timer_ GUARDED_BY(mutex_) = 0;
  MonotonicTime last_activity_ GUARDED_BY(mutex_){0};
  Error poison_ GUARDED_BY(mutex_);
  bool poisoned_ GUARDED_BY(mutex_) = false;
  std::vector<Commit> spare_ GUARDED_BY(mutex_);
  LogCounters counters_ GUARDED_BY(mutex_);
  uint32_t previous_checksum_;  // of the device's thread
  uint64_t last_sequence_;      // of the entries that were written; likewise
  LogPosition written_durable_ GUARDED_BY(mutex_);
  MonotonicTime submitted_at_ GUARDED_BY(mutex_){0};
  MonotonicTime write_began_{0};
};

}  // namespace topicfs::wal
