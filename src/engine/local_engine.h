// LocalEngine: the engine itself, over a data directory and an object store. Composes the log, the pool,
// the catalog and the object tier; each verb's work is in the file that has its name.
//
// Lock order, outermost first: ControlQueue, Log, Partition, Catalog, Segments, ChunkPool, GroupStore. No lock is held
// across I/O, nor while a completion or a listener is called (but for the listeners' own).
#pragma once

#include <memory>
#include <string>

#include <topicfs/engine.h>
#include <topicfs/options.h>

#include "base/random.h"
#include "engine/append_path.h"
#include "engine/bucket.h"
#include "engine/catalog.h"
#include "metadata/checkpoint.h"
#include "engine/control_queue.h"
#include "engine/group_store.h"
#include "engine/listeners.h"
#include "engine/collector.h"
#include "engine/offloader.h"
#include "engine/pool_block_memory.h"
#include "engine/producer_table.h"
#include "engine/read_path.h"
#include "engine/retention.h"
#include "engine/stored_objects.h"
#include "io/sync_probe.h"
#include "object/block_reader.h"
#include "wal/recovery.h"

namespace topicfs {

/// What an engine runs on. All outlive it; the executor has run its last task before the engine is destroyed.
struct EngineParts {
  FileSystem& files;
  LogDevice& device;
  ObjectStore& store;
  Executor& executor;
  Clock& clock;
  Random& random;
};

/// A producer id is the epoch of the engine that gave it, and this many bits of a number.
inline constexpr int kProducerIdBits = 32;

class LocalEngine final : public Engine, private wal::LogClient, private wal::RecoveryHandler {
 public:
  /// Opens the data directory, recovering the log, or what the bucket has if the directory is empty.
  /// Errors: kBusy (another daemon has it), kCorrupt, kInvalidArgument (settings; another store's directory),
  /// and any failure to learn the state of the store.
  static void open(EngineOptions options, EngineParts parts, Completion<std::unique_ptr<LocalEngine>> done);
  ~LocalEngine() override;

  /// Ends the engine's work: appends are refused, what is durable is offloaded until `deadline`, the log is closed.
  /// `done` gets kTimedOut if something stays in the log only; nothing is lost by it.
  void stop(MonotonicTime deadline, Completion<void> done);
  /// No write is under way, and nothing is begun any more: the device and the executor may be taken apart.
  void close();

  TopicPtr find_topic(std::string_view name) override { return catalog_.find(name); }
  TopicPtr find_topic(const Uuid& id) override { return catalog_.find(id); }
  TopicPtr find_topic(TopicNumber number) override { return catalog_.find(number); }
  std::optional<PartitionPlace> find_partition(PartitionId id) override { return catalog_.find(id); }
  std::vector<TopicPtr> list_topics() override { return catalog_.list(); }
  void create_topic(NewTopic topic, Completion<TopicPtr> done) override;
  void add_partitions(const Uuid& topic, int32_t total, Ownership ownership, Completion<TopicPtr> done) override;
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
  void cancel(RequestId request) override { appends_->cancel(request); }
  void sync(PartitionId partition, Completion<void> done) override;
  void delete_records(PartitionId partition, Offset before, Completion<Offset> done) override;
  void allocate_producer_ids(int32_t count, Completion<int64_t> done) override;
  Result<PartitionEnds> ends(PartitionId partition) override;
  void read_text(PartitionId partition, TextPosition from, size_t max_bytes, Completion<TextRead> done) override;
  void fetch(PartitionId partition, Offset from, size_t max_bytes, Completion<Fetched> done) override;
  void find_timestamp(PartitionId partition, int64_t timestamp, Completion<TimestampedOffset> done) override;
  void commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) override {
    groups_.commit_offsets(std::move(group), std::move(offsets), std::move(done));
  }
  void fetch_offsets(std::string group, Completion<std::vector<CommittedOffset>> done) override {
    done(groups_.offsets(group));
  }
  void delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) override {
    groups_.delete_offsets(std::move(group), std::move(partitions), std::move(done));
  }
  void save_group(std::string group, GroupState state, Completion<void> done) override {
    groups_.save_group(std::move(group), std::move(state), std::move(done));
  }
  void delete_group(std::string group, Completion<void> done) override {
    groups_.delete_group(std::move(group), std::move(done));
  }
  void list_groups(std::string after, Completion<std::vector<StoredGroup>> done) override { done(groups_.list(after)); }
  void add_listener(EngineListener* listener) override { listeners_.add(listener); }
  void remove_listener(EngineListener* listener) override { listeners_.remove(listener); }
  void leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) override;
  int32_t leader_epoch() override { return static_cast<int32_t>(epoch_ - 1); }
  Uuid store_id() override { return store_id_; }
  void status(Completion<std::string> done) override;

  /// The memory that fetched bytes may lie in, for sharing with the gateway.
  ChunkPool& pool() { return *pool_; }

 private:
  friend class EngineOpening;
  LocalEngine(EngineOptions options, EngineParts parts);

  // LogClient
  void finish_open_entry() override { appends_->finish_open_entry(); }
  void on_durable(std::span<const wal::PartitionEnd> ends, wal::LogPosition end, uint64_t payload_bytes) override;
  void on_room() override { appends_->on_room(); }
  void on_poisoned(const Error& error) override { offloader_->on_poisoned(error); }
  // RecoveryHandler
  Result<void> on_entry(const wal::RecoveredEntry& entry) override;
  void on_commit(wal::LogPosition end) override;

  Result<Partition*> partition_of(PartitionId id);
  void change_topic(ControlQueue::Decide decide, Uuid topic, Completion<TopicPtr> done);
  void change_owner(const Uuid& topic, std::optional<PartitionId> partition, OwnershipChange change,
                    Completion<TopicPtr> done);
  /// A durable control record takes effect: in the control queue's order, and once more at recovery.
  void apply(const ControlRecord& record, Offset offset);
  void take_effect(const ControlRecord& record, Offset offset);
  Result<void> replay(const ControlRecord& record, Offset offset);
  void apply_settings(const TopicInfo& topic);
  void apply_log_starts(const LogStartsMoved& record, Offset offset);
  /// Those that still make sense when it is their turn are recorded; then they take effect together.
  void move_log_starts(std::vector<LogStart> starts, Completion<void> done);
  Checkpoint make_checkpoint();
  Result<void> restore(Checkpoint checkpoint);
  Result<void> replay_control(const BatchHeader& header, ByteSpan batch);
  Result<void> adopt(const NewerObject& newer, const Footer& footer, const std::vector<BatchView>& control);
  /// What the headers of adopted batches say: producers and leader epochs.
  Result<void> adopt_headers(PartitionId partition, const BlockReader& batches);
  void make_offloader();
  void forget_topic(const Catalog::Change& change);
  std::string status_json();
  uint64_t dead_bytes();

  const EngineOptions options_;
  const EngineParts parts_;
  std::unique_ptr<FileLock> lock_;
  Uuid store_id_;
  SyncProbe sync_probe_;
  uint64_t epoch_ = 0;
  std::unique_ptr<ChunkPool> pool_;
  std::unique_ptr<PoolBlockMemory> block_memory_;
  std::unique_ptr<wal::Segments> segments_;
  Catalog catalog_;
  ProducerTable producers_;            // of all that was appended; of the log's lock once the log is there
  ProducerTable offloaded_producers_;  // as of the end of what was offloaded; of the control queue's order
  GroupStore groups_;
  Listeners listeners_;
  std::unique_ptr<StoredObjects> objects_;
  std::unique_ptr<wal::Log> log_;
  std::unique_ptr<AppendPath> appends_;
  std::unique_ptr<ControlQueue> control_;
  std::unique_ptr<ReadPath> reads_;
  std::unique_ptr<Checkpointer> checkpoints_;
  std::unique_ptr<Offloader> offloader_;
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<Retention> retention_;
  std::atomic<int64_t> next_producer_id_{0};  // the epoch, then the number in it
  std::atomic<int64_t> control_end_{0};  // control records before this offset have taken effect
  wal::LogPosition log_from_;            // at recovery: the checkpoint has what is before
  wal::Recovered recovered_;
  uint64_t replayed_bytes_ = 0;          // of data, in the commit that is being replayed
  bool replayed_change_ = false;         // and whether it changed the catalog
};

}  // namespace topicfs
