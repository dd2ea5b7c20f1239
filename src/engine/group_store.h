// GroupStore: what is kept of consumer groups, and the changes of it. Commits that arrive while one is on its way to
// the disk become one control record together, so that many groups that commit often cost no sync each.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/catalog.h"
#include "engine/control_queue.h"

namespace topicfs {

/// Thread-safe. Its lock is innermost: nothing is called while it is held.
class GroupStore {
 public:
  /// Commits that wait for the log; more are refused.
  static constexpr size_t kMaxWaitingCommits = 10'000;
  static constexpr size_t kMaxRecordBytes = 1 << 20;
  /// Of one answer of `list`, about.
  static constexpr size_t kMaxListBytes = 1 << 20;

  GroupStore(const Catalog& catalog, Clock& clock) : catalog_(catalog), clock_(clock) {}
  /// Changes may come from now on. A control record may have `max_record_bytes`.
  void start(ControlQueue& control, size_t max_record_bytes);

  // The engine's verbs.
  void commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done);
  void delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done);
  void save_group(std::string group, GroupState state, Completion<void> done);
  void delete_group(std::string group, Completion<void> done);
  std::vector<CommittedOffset> offsets(const std::string& group) const;
  std::vector<StoredGroup> list(const std::string& after) const;

  /// A durable record takes effect.
  void apply(const GroupRecord& record);
  /// The topic is gone, and what was committed for it.
  void forget(const TopicInfo& topic);
  /// Records that make all this again, in order: what a checkpoint keeps.
  std::vector<GroupRecord> records() const;

 private:
  struct Group {
    GroupState state;
    std::map<PartitionId, CommittedOffset> offsets;
    bool is_nothing() const { return offsets.empty() && state.protocol_type.empty(); }
  };
  struct Waiting {
    std::string group;
    std::vector<CommittedOffset> offsets;
    size_t bytes;
    Completion<void> done;
  };
  struct Commit;

  void queue_commits();
  Result<std::optional<ControlRecord>> decide_commits(Commit& commit);
  Result<void> check_room(const OffsetsCommitted& so_far, const Waiting& next) REQUIRES(mutex_);
  void change(GroupRecord record, Completion<void> done);
  void set_offset(Group& group, const CommittedOffset& offset) REQUIRES(mutex_);
  void erase_offset(Group& group, PartitionId partition) REQUIRES(mutex_);

  const Catalog& catalog_;
  Clock& clock_;
  ControlQueue* control_ = nullptr;
  size_t max_record_bytes_ = kMaxRecordBytes;
  mutable Mutex mutex_;
  std::map<std::string, Group> groups_ GUARDED_BY(mutex_);
  size_t offsets_count_ GUARDED_BY(mutex_) = 0;
  size_t bytes_ GUARDED_BY(mutex_) = 0;  // as kMaxGroupBytes counts them
  std::deque<Waiting> waiting_ GUARDED_BY(mutex_);
  bool queued_ GUARDED_BY(mutex_) = false;  // a change that takes from `waiting_` is in the control queue
};

}  // namespace topicfs
