// MemoryEngine: the whole engine interface over plain memory, for tests of the mount, the gateway and
// the socket between them. Nothing is durable beyond the process. Not a model of the log: no pool, no
// objects, no time-outs of its own; tests say when the log is full, slow or broken.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <topicfs/engine.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "support/memory_groups.h"

namespace topicfs::testing {

struct MemoryEngineOptions {
  /// Appends become durable, and everything is answered, in tasks posted here: one task is one commit,
  /// which covers all that came before it runs. nullptr: before the verb returns (or, when another
  /// thread is in the engine, on that thread).
  Executor* executor = nullptr;
  Clock* clock = nullptr;  ///< nullptr: the system's
  Uuid store_id{{0x74, 0x6f, 0x70, 0x69, 0x63, 0x66, 0x40, 0x73, 0x80, 0x00, 0, 0, 0, 0, 0, 1}};
  /// Batches are kept here while there is room, then elsewhere: what the pool is to the real engine.
  MutableByteSpan region{};
};

class MemoryEngine final : public Engine {
 public:
  using Options = MemoryEngineOptions;
  explicit MemoryEngine(Options options = {});
  ~MemoryEngine() override;

  // ---- what a test does to it

  /// The next append (and only that one) is answered with `error`; nothing is written.
  void fail_next_append(Error error);
  /// While full, appends with Wait::yes queue, others get kWouldBlock. `set_full(false)` lets them in.
  void set_full(bool full);
  /// The appends that wait for room end with kTimedOut, as after the append timeout.
  void time_out_waiting();
  size_t waiting_appends();
  /// What is appended from now on is of this leader epoch, as after restarts.
  void set_leader_epoch(int32_t epoch) { leader_epoch_ = epoch; }
  /// From now on every append and sync is answered kReadOnly, as after a failed write of the log.
  void poison();
  /// Retention: what is below `to` is gone.
  void set_log_start(PartitionId partition, Offset to);
  /// Reads of text wait from now on; answer_reads() lets them, and those that come later, go on.
  void hold_reads() EXCLUDES(mutex_);
  void answer_reads() EXCLUDES(mutex_);
  /// Pins that somebody still holds.
  size_t live_pins() const { return static_cast<size_t>(pin_token_.use_count() - 1); }

  // ---- Engine

  TopicPtr find_topic(std::string_view name) override;
  TopicPtr find_topic(const Uuid& id) override;
  TopicPtr find_topic(TopicNumber number) override;
  std::optional<PartitionPlace> find_partition(PartitionId id) override;
  std::vector<TopicPtr> list_topics() override;
  void create_topic(NewTopic topic, Completion<TopicPtr> done) override;
  void add_partitions(const Uuid& topic, int32_t total, Ownership ownership,
                      Completion<TopicPtr> done) override;
  void delete_topic(const Uuid& topic, OnlyEmpty only_empty, Completion<void> done) override;
  void change_settings(const Uuid& topic, std::map<std::string, std::optional<std::string>> changes,
                       Completion<TopicPtr> done) override;
  void change_ownership(const Uuid& topic, OwnershipChange change, Completion<TopicPtr> done) override;
  void change_ownership(PartitionId partition, OwnershipChange change, Completion<TopicPtr> done) override;
  void set_modified(PartitionId partition, WallMilliseconds time, Completion<void> done) override;
  RequestId append_batch(PartitionId partition, ByteSpan batch, AppendOptions options,
                         Completion<Appended> done) override;
  RequestId append_text(PartitionId partition, std::span<const ByteSpan> pieces, LastLine last,
                        AppendOptions options, Completion<Appended> done) override;
  void cancel(RequestId request) override;
  void sync(PartitionId partition, Completion<void> done) override;
  void delete_records(PartitionId partition, Offset before, Completion<Offset> done) override;
  void allocate_producer_ids(int32_t count, Completion<int64_t> done) override;
  Result<PartitionEnds> ends(PartitionId partition) override;
  void read_text(PartitionId partition, TextPosition from, size_t max_bytes,
                 Completion<TextRead> done) override;
  void fetch(PartitionId partition, Offset from, size_t max_bytes, Completion<Fetched> done) override;
  void find_timestamp(PartitionId partition, int64_t timestamp, Completion<TimestampedOffset> done) override;
  void commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) override;
  void fetch_offsets(std::string group, Completion<std::vector<CommittedOffset>> done) override;
  void delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) override;
  void save_group(std::string group, GroupState state, Completion<void> done) override;
  void delete_group(std::string group, Completion<void> done) override;
  void list_groups(std::string after, Completion<std::vector<StoredGroup>> done) override;
  void add_listener(EngineListener* listener) override;
  void remove_listener(EngineListener* listener) override;  ///< not from a listener's own call
  void leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) override;
  int32_t leader_epoch() override { return leader_epoch_; }
  Uuid store_id() override { return options_.store_id; }
  void status(Completion<std::string> done) override;

 private:
  struct Batch;
  struct Partition;
  struct WaitingAppend;
  struct Pending;

  Partition* find(PartitionId id) REQUIRES(mutex_);
  TopicPtr topic_of(const Uuid& id) REQUIRES(mutex_);
  std::optional<PartitionPlace> place_of(PartitionId id) REQUIRES(mutex_);
  RequestId append(WaitingAppend append, Wait wait);
  void write(Partition& partition, WaitingAppend append) REQUIRES(mutex_);
  void write_waiting() REQUIRES(mutex_);
  void trim(Partition& partition, Offset to) REQUIRES(mutex_);
  ByteSpan keep(Batch& batch, std::vector<std::byte> bytes) REQUIRES(mutex_);
  TopicPtr replace(TopicPtr topic) REQUIRES(mutex_);
  void announce(TopicPtr topic) REQUIRES(mutex_);
  void add_partition_infos(TopicInfo& topic, int32_t total, Ownership ownership) REQUIRES(mutex_);
  void commit() REQUIRES(mutex_);
  void schedule() EXCLUDES(mutex_);
  void run() EXCLUDES(mutex_);
  template <class T>
  void answer(Completion<T> done, Result<T> result) REQUIRES(mutex_);
  template <class T>
  void answer_now(Completion<T> done, Result<T> result) EXCLUDES(mutex_);
  /// Answers what `act` returns under the lock, unless the log is poisoned.
  template <class Act>
  void change_groups(Completion<void> done, Act act) EXCLUDES(mutex_);

  const Options options_;
  Clock& clock_;
  const std::shared_ptr<int> pin_token_ = std::make_shared<int>();  // shared with every pin: a count

  Mutex listeners_mutex_;  // before mutex_; held while listeners are called
  std::vector<EngineListener*> listeners_ GUARDED_BY(listeners_mutex_);

  Mutex mutex_;
  std::map<std::string, TopicPtr, std::less<>> topics_ GUARDED_BY(mutex_);
  std::unordered_map<PartitionId, std::unique_ptr<Partition>> partitions_ GUARDED_BY(mutex_);
  std::deque<WaitingAppend> waiting_ GUARDED_BY(mutex_);
  std::vector<Pending> uncommitted_ GUARDED_BY(mutex_);
  std::deque<Task> actions_ GUARDED_BY(mutex_);  // answers and events, in the order they happened
  bool running_ GUARDED_BY(mutex_) = false;      // a thread is in run()
  bool posted_ GUARDED_BY(mutex_) = false;
  bool full_ GUARDED_BY(mutex_) = false;
  bool poisoned_ GUARDED_BY(mutex_) = false;
  std::optional<Error> next_append_error_ GUARDED_BY(mutex_);
  size_t region_used_ GUARDED_BY(mutex_) = 0;
  RequestId last_request_ GUARDED_BY(mutex_) = 0;
  uint32_t last_topic_ GUARDED_BY(mutex_) = 0;
  uint32_t last_partition_ GUARDED_BY(mutex_) = 0;
  int64_t next_producer_id_ GUARDED_BY(mutex_) = 1000;
  MemoryGroups groups_ GUARDED_BY(mutex_);
  bool holds_reads_ GUARDED_BY(mutex_) = false;
  std::vector<Task> held_reads_ GUARDED_BY(mutex_);
  std::atomic<int32_t> leader_epoch_ = 0;
};

}  // namespace topicfs::testing
