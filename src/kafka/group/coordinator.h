// GroupCoordinator: all groups of a gateway, as one state machine over requests and time, like each of them. It finds
// the group, holds the limits that all share, queues the groups by when they have to be looked at, and decides
// what of their offsets has been kept for long enough. It knows a group as long as the engine keeps something of it,
// or it has a member.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "kafka/group/group.h"

namespace topicfs::kafka {

class GroupCoordinator {
 public:
  GroupCoordinator(const GroupSettings& settings, Random& random) : settings_(settings), random_(random) {}

  /// What the engine keeps, in as many pieces as it likes; then is_loaded() may be told. Until then requests are
  /// answered with coordinator_loading.
  void restore(const std::vector<StoredGroup>& stored, Now now);
  void set_loaded() { is_loaded_ = true; }
  bool is_loaded() const { return is_loaded_; }

  // ---- requests of members; see Group

  void join(Ticket ticket, JoinRequest request, Now now, Actions& out);
  void sync(Ticket ticket, const SyncRequest& request, Now now, Actions& out);
  GroupError heartbeat(const std::string& group, const MemberName& member, int32_t generation, Now now);
  struct Left {
    GroupError error = GroupError::none;
    std::vector<GroupError> members;
  };
  Left leave(const std::string& group, const std::vector<MemberName>& members, Now now, Actions& out);
  /// A client that is no member (`generation` negative) may commit for a group that has none, and makes it if need be.
  /// With a generation, group_id_not_found: there is no such group.
  GroupError check_commit(const std::string& group, const MemberName& member, int32_t generation, Now now);

  // ---- requests of administrators

  /// nullopt: there is no such group.
  std::optional<GroupView> describe(const std::string& group) const;
  struct Listed {
    const std::string& name;
    const std::string& protocol_type;
    GroupStage stage;
  };
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [name, entry] : groups_) visit(Listed{name, entry.group->protocol_type(), entry.group->stage()});
  }
  /// Whether the group may be deleted: it has no members. The caller has the engine delete it, then forgets it, and lets
  /// nothing else happen to it meanwhile.
  GroupError check_delete(const std::string& group) const;
  void forget(const std::string& group);
  /// Whether offsets of the group may be deleted; those of topics that its members have subscribed to may not.
  GroupError check_offset_delete(const std::string& group) const;
  bool may_be_subscribed(const std::string& group, const std::string& topic) const;

  // ---- what happens besides

  void saved(const std::string& group, uint64_t number, GroupError error, Now now, Actions& out);
  /// What has been kept for long enough: for the caller to delete, as above.
  struct Expired {
    std::vector<PartitionId> offsets;
    bool group = false;  ///< all of it
  };
  /// After an action `checks`: what the group has committed.
  Expired check_retention(const std::string& group, const std::vector<CommittedOffset>& committed, Now now);
  void tick(Now now, Actions& out);
  /// When tick() has something to do; never: nothing.
  std::optional<MonotonicTime> wake_at() const;

  size_t size() const { return groups_.size(); }
  /// Of members, in all groups.
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::unique_ptr<Group> group;
    std::optional<MonotonicTime> check_at;   ///< its offsets
    std::optional<MonotonicTime> queued_at;  ///< in queue_
    size_t bytes = 0;                        ///< as counted in bytes_
  };
  using Groups = std::map<std::string, Entry, std::less<>>;

  Groups::iterator make(const std::string& name, Now now);
  /// After each event of a group: its place in the queue, its share of the bytes.
  void settle(Groups::iterator at, Now now, Actions& out);
  void queue(Groups::iterator at);
  GroupError refuse_join(const JoinRequest& request, Groups::const_iterator at) const;

  const GroupSettings& settings_;
  Random& random_;
  bool is_loaded_ = false;
  Groups groups_;
  std::set<std::pair<MonotonicTime, std::string>> queue_;
  size_t bytes_ = 0;
  uint32_t incarnations_ = 0;
};

}  // namespace topicfs::kafka
