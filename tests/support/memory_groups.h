// MemoryGroups: what a memory engine keeps of consumer groups. Its owner's lock guards it.
#pragma once

#include <map>

#include <topicfs/catalog.h>
#include <topicfs/groups.h>
#include <topicfs/result.h>

namespace topicfs::testing {

class MemoryGroups {
 public:
  void commit(const std::string& group, const std::vector<CommittedOffset>& offsets, WallMilliseconds now) {
    for (CommittedOffset offset : offsets) {
      offset.committed = now;
      groups_[group].offsets[offset.partition] = std::move(offset);
    }
  }
  std::vector<CommittedOffset> offsets(const std::string& group) const {
    std::vector<CommittedOffset> all;
    if (auto found = groups_.find(group); found != groups_.end())
      for (const auto& [partition, offset] : found->second.offsets) all.push_back(offset);
    return all;
  }
  void remove_offsets(const std::string& group, const std::vector<PartitionId>& partitions) {
    auto found = groups_.find(group);
    if (found == groups_.end()) return;
    for (PartitionId id : partitions) found->second.offsets.erase(id);
    drop_empty();
  }
  void save(const std::string& group, GroupState state, WallMilliseconds now) {
    state.changed = now;
    groups_[group].state = std::move(state);
  }
  Result<void> remove(const std::string& group) {
    if (groups_.erase(group) == 0) return fail(Errc::kNotFound, "no such consumer group");
    return {};
  }
  void forget(const TopicInfo& topic) {
    for (auto& [name, group] : groups_)
      for (const PartitionInfo& partition : topic.partitions) group.offsets.erase(partition.id);
    drop_empty();
  }
  /// A few at a time, so that callers have to ask again.
  std::vector<StoredGroup> list(const std::string& after) const {
    constexpr size_t kFew = 3;
    std::vector<StoredGroup> some;
    for (auto at = groups_.upper_bound(after); at != groups_.end() && some.size() < kFew; ++at) {
      some.push_back({at->first, at->second.state, at->second.offsets.size(), WallMilliseconds(0)});
      for (const auto& [partition, offset] : at->second.offsets)
        some.back().last_commit = std::max(some.back().last_commit, offset.committed);
    }
    return some;
  }

 private:
  struct Group {
    GroupState state;
    std::map<PartitionId, CommittedOffset> offsets;
  };
  void drop_empty() {
    std::erase_if(groups_, [](const auto& g) { return g.second.offsets.empty() && g.second.state.protocol_type.empty(); });
  }

  std::map<std::string, Group> groups_;
};

}  // namespace topicfs::testing
