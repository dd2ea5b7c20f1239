// Partition: where one partition's records are. Its newest ones by log position (the index), older ones by
// object (the extents); its ends; and who waits for its file to grow.
//
// Locks: what `append` touches is guarded by the log's lock; the rest by the partition's own, which is taken
// inside the log's and never held while calling out.
#pragma once

#include <atomic>
#include <deque>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include <topicfs/engine.h>

#include "base/mutex.h"
#include "engine/producer_table.h"
#include "metadata/partition_state.h"
#include "wal/log.h"

namespace topicfs {

/// One batch in the log.
struct BatchRef {
  Offset base;
  TextPosition text;
  wal::LogPosition at;        ///< of its entry
  uint64_t sequence = 0;      ///< of its entry: tells it from what a recycled segment holds there
  uint32_t bytes = 0;         ///< of the batch
  uint32_t records = 0;
  int64_t text_bytes = 0;
  int64_t max_timestamp = -1;
  ProducerMark producer;      ///< if an idempotent one sent it
  uint8_t codec = 0;          ///< compression bits of its attributes
  bool control = false;       ///< shows no text
  bool from_file = false;     ///< its header is filled in when its commit is written
  bool filled = true;         ///< false while its bytes are being copied

  Offset end() const { return base + records; }
  TextPosition text_end() const { return text + text_bytes; }
};

/// More leader epochs than this are not told apart in one partition: the oldest are forgotten.
inline constexpr size_t kMaxLeaderEpochs = 1000;

/// In place of the offset of a control record that moved a log start: such a start lets nothing be left out of an object.
inline constexpr Offset kNeverDropped{INT64_MAX};

/// Negative: no limit.
struct RetentionLimits {
  int64_t milliseconds = -1, bytes = -1;
};

class Partition {
 public:
  explicit Partition(PartitionId number) : id(number) {}

  const PartitionId id;

  // ---- of the topic's settings
  std::atomic<uint32_t> max_message_bytes{1 << 20};
  std::atomic<bool> log_append_time{false};
  /// What Kafka's batches of another codec become.
  struct Compression {
    int32_t codec = kAsProduced;
    int32_t level = 0;
  };
  static constexpr int32_t kAsProduced = -1;
  std::atomic<Compression> compression{Compression{}};
  std::atomic<bool> needs_keys{false};  ///< of Kafka's records: the topic is compacted
  /// How far a producer's timestamps may lie from the clock, in milliseconds.
  std::atomic<int64_t> timestamp_before_max{std::numeric_limits<int64_t>::max()};
  std::atomic<int64_t> timestamp_after_max{std::numeric_limits<int64_t>::max()};

  std::atomic<int64_t> retention_ms{-1}, retention_bytes{-1};

  // ---- guarded by the log's lock
  Offset next_offset;
  TextPosition next_text;
  wal::EndMark end_mark;
  int32_t newest_epoch = -1;  ///< the last that note_epoch was told of

  // ---- the newest end, called under the log's lock

  void push(const BatchRef& ref, WallMilliseconds now) EXCLUDES(mutex_);
  /// The newest batch has grown by this much.
  void grow(uint32_t bytes, uint32_t records, int64_t text_bytes, int64_t max_timestamp, WallMilliseconds now)
      EXCLUDES(mutex_);

  /// Records from `start` on are of this leader epoch.
  void note_epoch(int32_t epoch, Offset start) EXCLUDES(mutex_);
  /// The epochs in which records were appended, ascending.
  std::vector<EpochStart> epochs() EXCLUDES(mutex_);

  // ---- visibility

  struct VisibleWaiter {
    Offset end;
    Completion<Appended> done;
    Appended value;
  };
  /// The copy of the batch that begins at `base` is done. Adds to `ready` who waited for what is visible now.
  void mark_filled(Offset base, std::vector<VisibleWaiter>& ready) EXCLUDES(mutex_);
  /// True if everything before `end` is visible; otherwise keeps `waiter` until it is, moved from.
  bool visible_or_wait(VisibleWaiter& waiter) EXCLUDES(mutex_);

  // ---- reading

  PartitionEnds ends() EXCLUDES(mutex_);
  Offset durable_end() const { return Offset(durable_end_.load(std::memory_order_acquire)); }
  void set_durable_end(Offset end);
  void set_modified(WallMilliseconds time) EXCLUDES(mutex_);

  /// What covers a place: batches in the log, or an extent, or nothing.
  struct Cover {
    std::vector<BatchRef> refs;   ///< consecutive
    std::optional<Extent> extent;
  };
  /// Batches from the one that contains `from`, up to `max_bytes` of stored bytes but at least one, below `limit`.
  Cover cover(Offset from, Offset limit, size_t max_bytes) EXCLUDES(mutex_);
  /// The same by text, visible ones only.
  Cover cover(TextPosition from, size_t max_bytes) EXCLUDES(mutex_);
  /// The first batch or extent with a record of a timestamp >= `timestamp`, below `limit`.
  Cover cover_timestamp(int64_t timestamp, Offset limit) EXCLUDES(mutex_);
  /// The largest timestamp of the batches and extents below `limit` of which nothing is deleted, and of the one that the
  /// log start cuts, which may be a deleted record's.
  struct Latest {
    int64_t whole = -1, cut = -1;
    Offset cut_end;
  };
  Latest latest_timestamp(Offset limit) EXCLUDES(mutex_);

  // ---- the log start

  /// Where the text of the record at `offset` begins, between the log start and the end: a position, or the batch
  /// that says it once it is decoded.
  struct Spot {
    std::optional<TextPosition> text;
    std::optional<BatchRef> ref;
    std::optional<Extent> extent;
  };
  Spot spot(Offset offset) EXCLUDES(mutex_);
  /// Moves the log start, never back; `recorded` is the offset of the control record that says so. Answers the
  /// extents that nothing lives in any more, and forgets them.
  std::vector<Extent> trim(Offset start, TextPosition text, Offset recorded) EXCLUDES(mutex_);

  /// What retention.ms and retention.bytes of its topic have outlived, of what is durable: from where on it lives, and
  /// when the next unit becomes too old.
  struct Expired {
    std::optional<std::pair<Offset, TextPosition>> start;
    std::optional<WallMilliseconds> next;
  };
  Expired expired(WallMilliseconds now) EXCLUDES(mutex_);
  RetentionLimits retention() const { return {retention_ms.load(std::memory_order_relaxed), retention_bytes.load(std::memory_order_relaxed)}; }

  // ---- the end of it

  /// Its topic is deleted: lets go of all that it holds, and takes no more. Answers its extents, and who waited for its
  /// file to grow.
  struct Leftovers {
    std::vector<Extent> extents;
    std::vector<VisibleWaiter> waiters;
  };
  Leftovers abandon() EXCLUDES(mutex_);

  // ---- offload

  /// The batches whose entries lie in [from, to) of the log.
  std::vector<BatchRef> batches_between(wal::LogPosition from, wal::LogPosition to) EXCLUDES(mutex_);
  /// Those of them that need not be stored are left out: all of their records are deleted, by a control record before
  /// `known`, which whoever reads the store knows of too.
  std::vector<BatchRef> living_between(wal::LogPosition from, wal::LogPosition to, Offset known) EXCLUDES(mutex_);
  /// The log up to the end of `run` is in an object. Answers the extent, unless nothing in it lives.
  std::optional<Extent> add_offloaded(std::span<const BatchRef> run, uint32_t object) EXCLUDES(mutex_);
  /// Forgets the log positions below `segment`, whose data is in objects by now.
  void drop_index_below(uint32_t segment) EXCLUDES(mutex_);
  std::vector<Extent> extents() EXCLUDES(mutex_);
  size_t index_size() EXCLUDES(mutex_);

  // ---- recovery, single-threaded

  void restore(SavedPartition state) EXCLUDES(mutex_);
  /// What a checkpoint keeps: everything up to the end of what was offloaded.
  SavedPartition saved() EXCLUDES(mutex_);
  void replay(const BatchRef& ref, WallMilliseconds when) EXCLUDES(mutex_);
  /// Whether `extent` continues the partition: without a gap, or with one that the log start has deleted.
  bool continues(const Extent& extent) EXCLUDES(mutex_);
  /// Adds an extent that continues the partition, whose batches are in no log. False if nothing in it lives.
  bool adopt(const Extent& extent, WallMilliseconds when) EXCLUDES(mutex_);
  /// After all that was found: the log start may lie behind it, if what is between is lost and was deleted. The
  /// partition goes on there, because no offset is given twice.
  void reach_log_start() EXCLUDES(mutex_);

 private:
  void advance() REQUIRES(mutex_);
  int64_t share(Offset base, Offset end, int64_t bytes) const REQUIRES(mutex_);
  void count_retained() REQUIRES(mutex_);
  void append_extent(const Extent& extent) REQUIRES(mutex_);

  Mutex mutex_;
  std::deque<BatchRef> index_ GUARDED_BY(mutex_);
  size_t visible_ GUARDED_BY(mutex_) = 0;  ///< how many of index_ are visible, from the oldest
  std::vector<Extent> extents_ GUARDED_BY(mutex_);
  Offset offloaded_ GUARDED_BY(mutex_);  ///< end of the extents, also when there is none any more
  TextPosition offloaded_text_ GUARDED_BY(mutex_);
  PartitionEnds ends_ GUARDED_BY(mutex_);
  bool abandoned_ GUARDED_BY(mutex_) = false;
  Offset trim_recorded_ GUARDED_BY(mutex_){-1};  ///< offset of the newest control record that moved the log start
  std::vector<VisibleWaiter> waiters_ GUARDED_BY(mutex_);
  std::vector<EpochStart> epochs_ GUARDED_BY(mutex_);
  std::atomic<int64_t> durable_end_{0};
};

}  // namespace topicfs
