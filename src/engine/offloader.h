// Offloader: moves the log's older data into packed objects, when enough has gathered, when it has become old,
// when the log runs full, and when the engine stops. Only durable bytes are offloaded; the log is cut at a commit.
//
// A log that has failed takes no records, but what is durable in it is rescued: its objects are put one after the other,
// and only a start from the store knows them. A start from the log offloads again, and the collector removes them.
//
// One object at a time: gather (in the background) -> put, with retries; then the next. Meanwhile, in order, a control
// record, for which the log may take its time -> apply, which gives the partitions their extents and, with a checkpoint,
// frees log segments.
//
// While objects are put fast, writers wait for them when memory is full, rather than have what is about to be put given
// up and read back from the log.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "engine/catalog.h"
#include "engine/checkpointer.h"
#include "engine/control_queue.h"
#include "engine/producer_table.h"
#include "engine/stored_objects.h"
#include "wal/log.h"

namespace topicfs {

struct OffloadOptions {
  MonotonicTime interval = std::chrono::seconds(60);
  uint64_t object_bytes = 64 << 20;
  uint64_t pressure_bytes = 256 << 20;  ///< un-offloaded payload, or 3/4 of the log un-offloaded, start one at once
  uint64_t log_bytes = 4ull << 30;      ///< --wal-max-size
  uint32_t keep_segments = 8;           ///< as the checkpointer's
};

/// What it works with; all outlive it.
struct OffloadParts {
  LogDevice& device;
  ObjectStore& store;
  Executor& executor;
  Clock& clock;
  Random& random;
  wal::Segments& segments;
  Catalog& catalog;
  StoredObjects& objects;
  Checkpointer& checkpoints;
  ProducerTable& producers;  ///< as of the end of what was offloaded; apply() keeps it
};

struct OffloadCounters {
  uint64_t objects = 0, bytes = 0, failures = 0;
  uint64_t pending_bytes = 0;        ///< payload that is durable but not offloaded
  uint64_t read_back_bytes = 0;      ///< from the log, because memory had given them up
  std::string last_error;
};

class Offloader {
 public:
  Offloader(OffloadOptions options, OffloadParts parts, Uuid store_id, uint64_t epoch);
  ~Offloader();

  // ---- recovery, single-threaded

  /// The log before `from` is in the checkpoint.
  void recover_from(wal::LogPosition from);
  /// A recovered commit ended at `end`; `payload_bytes` of data, or a change of the catalog, were in it.
  void recovered(wal::LogPosition end, uint64_t payload_bytes, bool changed);
  /// From here on, what is due is done. `control` outlives this.
  void start(ControlQueue& control);

  // ---- events, from any thread

  /// The log is durable up to `end`, `payload_bytes` since it was opened; `data`: by more than control records.
  void on_durable(wal::LogPosition end, uint64_t payload_bytes, bool data);
  void on_catalog_changed();
  /// The control record at `recorded` is about to take effect, and to delete a topic.
  void on_topic_deletion(Offset recorded);
  /// The log takes no records any more, so that no object can become known here. What is durable goes to the store at
  /// once all the same: the disk that failed may not come back, and a start from the store finds it.
  void on_poisoned(const Error& error);
  /// A durable record says that the object holds its log range: gives the partitions their extents. Also at recovery.
  void apply(const StoredObject& object);

  /// Offloads what is durable and uploads a checkpoint. kTimedOut after `deadline`, with the work left undone; kReadOnly
  /// if the log failed, with what has come of the rescue.
  void finish(MonotonicTime deadline, Completion<void> done);
  /// Nothing more is begun.
  void stop();

  wal::LogPosition offloaded() const;
  uint64_t last_sequence() const;  ///< of this epoch's objects; 0: none
  OffloadCounters counters() const;

 private:
  struct Job;
  void consider();
  void consider_soon() REQUIRES(mutex_);
  bool due(MonotonicTime now) REQUIRES(mutex_);
  std::shared_ptr<Job> make_job() REQUIRES(mutex_);
  void gather(std::shared_ptr<Job> job);
  Result<void> gather_batches(Job& job);
  bool is_announced(const Job& job);
  void announce(std::shared_ptr<Job> job);
  Offset known_control(wal::LogPosition to);
  void add_batches(Job& job, Partition& partition);
  void put(std::shared_ptr<Job> job);
  void note_put(const std::shared_ptr<Job>& job);
  void record();
  void record_again();
  /// Two things go on at a time, each a chain of steps of which one may wait to be tried again.
  enum class Chain { objects, records };
  struct Retry {
    TimerId timer = 0;
    Task task;
  };
  Retry& retry_of(Chain chain) REQUIRES(mutex_) { return chain == Chain::objects ? object_retry_ : record_retry_; }
  void try_again(Chain chain, Error error, Task task);
  void retry_now();
  void be_patient();
  void lose_patience();
  bool is_poisoned() const REQUIRES(mutex_) { return !poison_.what.empty(); }
  /// Up to where the log is in the store, whether a record says so or not.
  wal::LogPosition stored() const REQUIRES(mutex_) { return std::max(offloaded_, put_to_); }
  Error outcome_of_rescue(bool complete) REQUIRES(mutex_);
  void maybe_release_segments();
  uint64_t objects_since_checkpoint() REQUIRES(mutex_);
  void end_finish(Result<void> result);

  const OffloadOptions options_;
  OffloadParts parts_;
  ControlQueue* control_ = nullptr;
  const Uuid store_id_;
  const uint64_t epoch_;

  std::atomic<int64_t> newest_deletion_{-1};  ///< offset of the control record

  mutable Mutex mutex_;
  wal::LogPosition offloaded_ GUARDED_BY(mutex_);        ///< as records say
  uint64_t last_sequence_ GUARDED_BY(mutex_) = 0;        ///< likewise
  wal::LogPosition put_to_ GUARDED_BY(mutex_);           ///< what is in the store, recorded or not
  uint64_t put_sequence_ GUARDED_BY(mutex_) = 0, put_payload_ GUARDED_BY(mutex_) = 0;
  std::deque<std::shared_ptr<Job>> unrecorded_ GUARDED_BY(mutex_);  ///< put, in order
  bool recording_ GUARDED_BY(mutex_) = false;
  struct Mark {
    wal::LogPosition end;  ///< of a commit
    uint64_t payload;      ///< of the log, counted up to there
  };
  std::deque<Mark> marks_ GUARDED_BY(mutex_);
  Mark durable_ GUARDED_BY(mutex_){};
  uint64_t recovered_payload_ = 0;         ///< counted before the log's own count begins
  bool dirty_ GUARDED_BY(mutex_) = false;  ///< more than our own records waits
  MonotonicTime oldest_ GUARDED_BY(mutex_){0};
  bool busy_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false, considering_ GUARDED_BY(mutex_) = false;
  int failures_in_a_row_ GUARDED_BY(mutex_) = 0;
  TimerId timer_ GUARDED_BY(mutex_) = 0;
  Retry object_retry_ GUARDED_BY(mutex_), record_retry_ GUARDED_BY(mutex_);
  bool quick_ GUARDED_BY(mutex_) = false;  ///< the last object was put fast
  TimerId patience_timer_ GUARDED_BY(mutex_) = 0;
  Completion<void> finish_done_ GUARDED_BY(mutex_);
  TimerId finish_timer_ GUARDED_BY(mutex_) = 0;
  bool finishing_ GUARDED_BY(mutex_) = false;
  OffloadCounters counters_ GUARDED_BY(mutex_);
  Error poison_ GUARDED_BY(mutex_);
  bool rescue_told_ GUARDED_BY(mutex_) = false;
};

}  // namespace topicfs
