#include "engine/group_store.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"

namespace topicfs {
namespace {

constexpr size_t kOffsetBytes = 64;  // of an offset in memory and, about, as JSON, without its metadata

size_t bytes_of(const CommittedOffset& o) { return kOffsetBytes + o.metadata.size(); }

size_t bytes_of(const GroupState& s) {
  size_t bytes = s.protocol_type.size() + s.protocol.size() + s.leader.size();
  for (const GroupMember& m : s.members)
    bytes += sizeof m + m.id.size() + m.client_id.size() + m.client_host.size() + m.subscription.size() + m.assignment.size();
  return bytes;
}

tl::unexpected<Error> full(std::string_view of) {
  return fail(Errc::kFull, "the store keeps no more " + std::string(of) + ": delete groups that are not needed");
}

}  // namespace

void GroupStore::start(ControlQueue& control, size_t max_record_bytes) {
  control_ = &control;
  max_record_bytes_ = std::min(max_record_bytes, kMaxRecordBytes);
}

// ---- commits

/// One record's worth of them, between its decision and its sync.
struct GroupStore::Commit {
  std::vector<Completion<void>> done;
  std::vector<std::pair<Completion<void>, Error>> refused;
};

void GroupStore::commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) {
  Waiting next{std::move(group), std::move(offsets), 0, std::move(done)};
  next.bytes = kOffsetBytes + next.group.size();
  for (const CommittedOffset& o : next.offsets) next.bytes += bytes_of(o) + o.metadata.size();  // room for escapes
  if (next.bytes > max_record_bytes_)
    return next.done(fail(Errc::kTooLarge, "one commit takes at most " + std::to_string(max_record_bytes_) + " bytes"));
  {
    MutexLock l(mutex_);
    if (waiting_.size() < kMaxWaitingCommits) {
      waiting_.push_back(std::move(next));
      if (std::exchange(queued_, true)) return;
    }
  }
  if (next.done) return next.done(fail(Errc::kFull, "too many commits of offsets wait for the log"));
  queue_commits();
}

void GroupStore::queue_commits() {
  auto commit = std::make_shared<Commit>();
  auto decide = [this, commit] { return decide_commits(*commit); };
  control_->change(std::move(decide), [this, commit](Result<void> r) {
    for (auto& [done, error] : commit->refused) done(tl::unexpected<Error>(std::move(error)));
    for (auto& done : commit->done) done(r);
    bool more;
    {
      MutexLock l(mutex_);
      more = !waiting_.empty() && !std::exchange(queued_, true);
    }
    if (more) queue_commits();
  });
}

/// Takes what waits, as much as one record may hold.
Result<std::optional<ControlRecord>> GroupStore::decide_commits(Commit& commit) {
  WallMilliseconds now = clock_.wall_now();
  OffsetsCommitted record;
  size_t bytes = 0;
  MutexLock l(mutex_);
  queued_ = false;
  while (!waiting_.empty() && bytes + waiting_.front().bytes <= max_record_bytes_) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    std::erase_if(next.offsets, [this](const CommittedOffset& o) {
      return o.partition == kControlPartition || !catalog_.partition(o.partition);
    });
    for (CommittedOffset& o : next.offsets) o.committed = now;
    if (auto room = check_room(record, next); !room) {
      commit.refused.emplace_back(std::move(next.done), std::move(room).error());
      continue;
    }
    bytes += next.bytes;
    if (!next.offsets.empty()) record.commits.push_back({std::move(next.group), std::move(next.offsets)});
    commit.done.push_back(std::move(next.done));
  }
  if (record.commits.empty()) return std::optional<ControlRecord>();
  return ControlRecord(GroupRecord(std::move(record)));
}

/// Counts what may be new as new: close to a limit a commit may be refused that would just fit.
Result<void> GroupStore::check_room(const OffsetsCommitted& so_far, const Waiting& next) {
  auto there = groups_.find(next.group);
  size_t offsets = offsets_count_, bytes = bytes_ + next.bytes;
  for (const auto& c : so_far.commits) {
    offsets += c.offsets.size();
    for (const CommittedOffset& o : c.offsets) bytes += bytes_of(o);
  }
  for (const CommittedOffset& o : next.offsets) offsets += there == groups_.end() || !there->second.offsets.contains(o.partition);
  if (offsets > kMaxCommittedOffsets) return full("committed offsets");
  if (bytes > kMaxGroupBytes) return full("bytes of consumer groups");
  if (there == groups_.end() && groups_.size() + so_far.commits.size() >= kMaxGroups) return full("consumer groups");
  return {};
}

// ---- other changes

void GroupStore::change(GroupRecord record, Completion<void> done) {
  auto decide = [this, record = std::move(record)]() mutable -> Result<std::optional<ControlRecord>> {
    MutexLock l(mutex_);
    if (auto* deleted = std::get_if<GroupDeleted>(&record); deleted && !groups_.contains(deleted->group))
      return fail(Errc::kNotFound, "there is no such consumer group");
    if (auto* deleted = std::get_if<OffsetsDeleted>(&record)) {
      auto group = groups_.find(deleted->group), none = groups_.end();
      std::erase_if(deleted->partitions,
                    [&](PartitionId id) { return group == none || !group->second.offsets.contains(id); });
      if (deleted->partitions.empty()) return std::optional<ControlRecord>();
    }
    if (auto* saved = std::get_if<GroupSaved>(&record)) {
      if (!groups_.contains(saved->group) && groups_.size() >= kMaxGroups) return full("consumer groups");
      if (bytes_ + bytes_of(saved->state) > kMaxGroupBytes) return full("bytes of consumer groups");
    }
    return ControlRecord(std::move(record));
  };
  control_->change(std::move(decide), std::move(done));
}

void GroupStore::delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) {
  change(OffsetsDeleted{std::move(group), std::move(partitions)}, std::move(done));
}

void GroupStore::save_group(std::string group, GroupState state, Completion<void> done) {
  state.changed = clock_.wall_now();
  if (bytes_of(state) * 4 / 3 > max_record_bytes_)
    return done(fail(Errc::kTooLarge, "the members of one consumer group take at most " +
                                          std::to_string(max_record_bytes_ / 4 * 3) + " bytes"));
  change(GroupSaved{std::move(group), std::move(state)}, std::move(done));
}

void GroupStore::delete_group(std::string group, Completion<void> done) {
  change(GroupDeleted{std::move(group)}, std::move(done));
}

// ---- what is there

std::vector<CommittedOffset> GroupStore::offsets(const std::string& group) const {
  MutexLock l(mutex_);
  std::vector<CommittedOffset> all;
  auto found = groups_.find(group);
  if (found == groups_.end()) return all;
  all.reserve(found->second.offsets.size());
  for (const auto& [partition, offset] : found->second.offsets) all.push_back(offset);
  return all;
}

std::vector<StoredGroup> GroupStore::list(const std::string& after) const {
  MutexLock l(mutex_);
  std::vector<StoredGroup> some;
  size_t bytes = 0;
  for (auto at = groups_.upper_bound(after); at != groups_.end() && bytes < kMaxListBytes; ++at) {
    const auto& [name, group] = *at;
    StoredGroup& out = some.emplace_back(StoredGroup{name, group.state, group.offsets.size(), WallMilliseconds(0)});
    for (const auto& [partition, offset] : group.offsets) out.last_commit = std::max(out.last_commit, offset.committed);
    bytes += sizeof out + name.size() + bytes_of(group.state);
  }
  return some;
}

// ---- durable records

void GroupStore::set_offset(Group& group, const CommittedOffset& offset) {
  erase_offset(group, offset.partition);
  group.offsets.emplace(offset.partition, offset);
  offsets_count_++;
  bytes_ += bytes_of(offset);
}

void GroupStore::erase_offset(Group& group, PartitionId partition) {
  auto found = group.offsets.find(partition);
  if (found == group.offsets.end()) return;
  offsets_count_--;
  bytes_ -= bytes_of(found->second);
  group.offsets.erase(found);
}

void GroupStore::apply(const GroupRecord& record) {
  MutexLock l(mutex_);
  if (auto* committed = std::get_if<OffsetsCommitted>(&record)) {
    for (const auto& commit : committed->commits) {
      Group& group = groups_[commit.group];
      for (const CommittedOffset& o : commit.offsets) set_offset(group, o);
    }
  } else if (auto* forgotten = std::get_if<OffsetsDeleted>(&record)) {
    auto group = groups_.find(forgotten->group);
    if (group == groups_.end()) return;
    for (PartitionId id : forgotten->partitions) erase_offset(group->second, id);
    if (group->second.is_nothing()) groups_.erase(group);
  } else if (auto* saved = std::get_if<GroupSaved>(&record)) {
    Group& group = groups_[saved->group];
    bytes_ = bytes_ - bytes_of(group.state) + bytes_of(saved->state);
    group.state = saved->state;
  } else if (auto* deleted = std::get_if<GroupDeleted>(&record)) {
    auto group = groups_.find(deleted->group);
    if (group == groups_.end()) return;
    bytes_ -= bytes_of(group->second.state);
    while (!group->second.offsets.empty()) erase_offset(group->second, group->second.offsets.begin()->first);
    groups_.erase(group);
  }
}

void GroupStore::forget(const TopicInfo& topic) {
  std::unordered_set<PartitionId> gone;
  for (const PartitionInfo& p : topic.partitions) gone.insert(p.id);
  MutexLock l(mutex_);
  for (auto group = groups_.begin(); group != groups_.end();) {
    auto& offsets = group->second.offsets;
    for (auto at = offsets.begin(); at != offsets.end();) {
      PartitionId id = (at++)->first;
      if (gone.contains(id)) erase_offset(group->second, id);
    }
    group = group->second.is_nothing() ? groups_.erase(group) : std::next(group);
  }
}

std::vector<GroupRecord> GroupStore::records() const {
  MutexLock l(mutex_);
  std::vector<GroupRecord> all;
  for (const auto& [name, group] : groups_) {
    if (!group.state.protocol_type.empty()) all.push_back(GroupSaved{name, group.state});
    if (group.offsets.empty()) continue;
    OffsetsCommitted committed{{{name, {}}}};
    for (const auto& [partition, offset] : group.offsets) committed.commits[0].offsets.push_back(offset);
    all.push_back(std::move(committed));
  }
  return all;
}

}  // namespace topicfs
