#include "kafka/group/coordinator.h"

#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "base/log.h"
#include "kafka/group/subscription.h"
#include "kafka/group/text.h"

namespace topicfs::kafka {
namespace {

/// A group that is looked at so much too late was not looked after meanwhile: the process had been stopped, and the
/// heartbeats that its members sent lie in their sockets.
constexpr std::chrono::seconds kLateness{2};
/// Between the first looks at what was restored, so that many groups are no crowd.
constexpr std::chrono::milliseconds kCheckSpacing{1};

size_t bytes_of(const JoinRequest& request) {
  size_t bytes = 2 * (request.client_id.size() + request.member_id.size());
  for (const Protocol& p : request.protocols) bytes += sizeof p + p.name.size() + p.metadata->size();
  return bytes;
}

/// Of protocols with one name the first counts.
void drop_repeated(std::vector<Protocol>& protocols) {
  std::unordered_set<std::string> seen;
  std::erase_if(protocols, [&](const Protocol& p) { return !seen.insert(p.name).second; });
}

}  // namespace

// ---- the groups

GroupCoordinator::Groups::iterator GroupCoordinator::make(const std::string& name, Now now) {
  Entry entry;
  entry.group = std::make_unique<Group>(name, settings_, random_, ++incarnations_, now);
  return groups_.emplace(name, std::move(entry)).first;
}

void GroupCoordinator::forget(const std::string& group) {
  auto at = groups_.find(group);
  if (at == groups_.end()) return;
  if (at->second.queued_at) queue_.erase({*at->second.queued_at, at->first});
  bytes_ -= at->second.bytes;
  groups_.erase(at);
}

void GroupCoordinator::settle(Groups::iterator at, Now now, Actions& out) {
  Entry& entry = at->second;
  while (entry.group->wake_at() && *entry.group->wake_at() <= now.time) entry.group->tick(now, out);
  bytes_ = bytes_ - entry.bytes + entry.group->bytes();
  entry.bytes = entry.group->bytes();
  if (!entry.group->is_abandoned()) entry.check_at.reset();
  else if (!entry.check_at) entry.check_at = now.time + kFirstRetentionCheck;
  queue(at);
}

void GroupCoordinator::queue(Groups::iterator at) {
  Entry& entry = at->second;
  std::optional<MonotonicTime> when = entry.group->wake_at();
  if (entry.check_at) when = when ? std::min(*when, *entry.check_at) : *entry.check_at;
  if (when == entry.queued_at) return;
  if (entry.queued_at) queue_.erase({*entry.queued_at, at->first});
  if (when) queue_.insert({*when, at->first});
  entry.queued_at = when;
}

std::optional<MonotonicTime> GroupCoordinator::wake_at() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.begin()->first;
}

void GroupCoordinator::restore(const std::vector<StoredGroup>& stored, Now now) {
  for (const StoredGroup& from : stored) {
    if (groups_.contains(from.name)) continue;
    auto at = make(from.name, now);
    at->second.group->restore(from.state, now);
    MonotonicTime first = now.time + kFirstRetentionCheck + static_cast<int64_t>(groups_.size()) * kCheckSpacing;
    bool has_had_members = !from.state.protocol_type.empty();
    MonotonicTime ends = now.time + (from.state.changed - now.wall) + settings_.offsets_retention;
    at->second.check_at = has_had_members && from.offsets > 0 ? std::max(first, ends) : first;
    Actions none;
    settle(at, now, none);
    MUST(none.saves.empty());
  }
}

// ---- members

GroupError GroupCoordinator::refuse_join(const JoinRequest& request, Groups::const_iterator at) const {
  if (!is_loaded_) return GroupError::coordinator_loading;
  if (request.group.empty()) return GroupError::invalid_group_id;
  if (request.session_timeout < settings_.min_session_timeout || request.session_timeout > settings_.max_session_timeout)
    return GroupError::invalid_session_timeout;
  if (at == groups_.end() && !request.member_id.empty()) return GroupError::unknown_member_id;
  size_t bytes = bytes_of(request);
  if (bytes + (at == groups_.end() ? 0 : at->second.bytes) > kMaxBytesOfOneGroup) return GroupError::group_max_size_reached;
  bool is_full = (at == groups_.end() && groups_.size() >= kMaxGroups) || bytes_ + bytes > kMaxGroupBytes;
  return is_full ? GroupError::coordinator_not_available : GroupError::none;
}

void GroupCoordinator::join(Ticket ticket, JoinRequest request, Now now, Actions& out) {
  auto at = groups_.find(request.group);
  if (GroupError error = refuse_join(request, at); error != GroupError::none) {
    JoinResult refused;
    refused.error = error;
    if (error != GroupError::group_max_size_reached) refused.member_id = request.member_id;
    return out.joins.push_back({ticket, std::move(refused)});
  }
  if (at == groups_.end()) at = make(request.group, now);
  drop_repeated(request.protocols);
  at->second.group->join(ticket, std::move(request), now, out);
  settle(at, now, out);
}

void GroupCoordinator::sync(Ticket ticket, const SyncRequest& request, Now now, Actions& out) {
  auto at = groups_.find(request.group);
  SyncResult refused;
  if (!is_loaded_) refused.error = GroupError::coordinator_loading;
  else if (request.group.empty()) refused.error = GroupError::invalid_group_id;
  else if (at == groups_.end()) refused.error = GroupError::unknown_member_id;
  if (refused.error != GroupError::none) return out.syncs.push_back({ticket, std::move(refused)});
  at->second.group->sync(ticket, request, out);
  settle(at, now, out);
}

GroupError GroupCoordinator::heartbeat(const std::string& group, const MemberName& member, int32_t generation, Now now) {
  if (!is_loaded_) return GroupError::none;  // it is not lost yet
  if (group.empty()) return GroupError::invalid_group_id;
  auto at = groups_.find(group);
  if (at == groups_.end()) return GroupError::unknown_member_id;
  GroupError error = at->second.group->heartbeat(member, generation, now);
  queue(at);
  return error;
}

GroupCoordinator::Left GroupCoordinator::leave(const std::string& group, const std::vector<MemberName>& members, Now now,
                                               Actions& out) {
  if (!is_loaded_) return {GroupError::coordinator_loading, {}};
  if (group.empty()) return {GroupError::invalid_group_id, {}};
  auto at = groups_.find(group);
  if (at == groups_.end()) return {GroupError::none, std::vector(members.size(), GroupError::unknown_member_id)};
  Left left{GroupError::none, at->second.group->leave(members, now, out)};
  settle(at, now, out);
  return left;
}

GroupError GroupCoordinator::check_commit(const std::string& group, const MemberName& member, int32_t generation, Now now) {
  if (!is_loaded_) return GroupError::coordinator_loading;
  auto at = groups_.find(group);
  if (at == groups_.end()) {
    if (generation >= 0) return GroupError::group_id_not_found;
    if (groups_.size() >= kMaxGroups) return GroupError::coordinator_not_available;
    at = make(group, now);
    at->second.check_at = now.time + kFirstRetentionCheck;
  }
  GroupError error = at->second.group->check_commit(member, generation, now);
  queue(at);
  return error;
}

// ---- administrators

std::optional<GroupView> GroupCoordinator::describe(const std::string& group) const {
  auto at = groups_.find(group);
  if (at == groups_.end()) return std::nullopt;
  return at->second.group->view();
}

GroupError GroupCoordinator::check_delete(const std::string& group) const {
  if (!is_loaded_) return GroupError::coordinator_loading;
  auto at = groups_.find(group);
  if (at == groups_.end()) return GroupError::group_id_not_found;
  return at->second.group->stage() == GroupStage::empty ? GroupError::none : GroupError::non_empty_group;
}

GroupError GroupCoordinator::check_offset_delete(const std::string& group) const {
  if (!is_loaded_) return GroupError::coordinator_loading;
  auto at = groups_.find(group);
  if (at == groups_.end()) return GroupError::group_id_not_found;
  bool is_known = at->second.group->stage() == GroupStage::empty || at->second.group->protocol_type() == kConsumerProtocolType;
  return is_known ? GroupError::none : GroupError::non_empty_group;
}

bool GroupCoordinator::may_be_subscribed(const std::string& group, const std::string& topic) const {
  auto at = groups_.find(group);
  return at != groups_.end() && at->second.group->may_be_subscribed_to(topic);
}

// ---- besides

void GroupCoordinator::saved(const std::string& group, uint64_t number, GroupError error, Now now, Actions& out) {
  auto at = groups_.find(group);
  if (at == groups_.end()) return;
  at->second.group->saved(number, error, now, out);
  settle(at, now, out);
}

/// Offsets are kept for the retention time behind their commit, and behind the end of the group's last member. A
/// group that has had no members since it was made has no such end.
GroupCoordinator::Expired GroupCoordinator::check_retention(const std::string& group,
                                                            const std::vector<CommittedOffset>& committed, Now now) {
  Expired expired;
  auto at = groups_.find(group);
  if (at == groups_.end() || !at->second.group->is_abandoned()) return expired;
  const Group& g = *at->second.group;
  WallMilliseconds last_used = g.protocol_type().empty() ? WallMilliseconds(0) : g.empty_since();
  std::optional<WallMilliseconds> next;
  for (const CommittedOffset& offset : committed) {
    WallMilliseconds ends = std::max(offset.committed, last_used) + settings_.offsets_retention;
    if (ends <= now.wall) expired.offsets.push_back(offset.partition);
    else next = next ? std::min(*next, ends) : ends;
  }
  if (next) {
    at->second.check_at = now.time + (*next - now.wall);
    queue(at);
    return expired;
  }
  LOG_INFO("group {}: to be forgotten with {} offsets: it has had no members for long enough", printable(group), committed.size());
  expired.group = true;
  return expired;
}

void GroupCoordinator::tick(Now now, Actions& out) {
  while (!queue_.empty() && queue_.begin()->first <= now.time) {
    auto at = groups_.find(queue_.begin()->second);
    MUST(at != groups_.end());
    Entry& entry = at->second;
    if (auto due = entry.group->wake_at(); due && now.time - *due > kLateness) {
      LOG_WARNING("group {}: looked at {} s too late: its members' sessions begin anew", printable(at->first),
                  std::chrono::duration_cast<std::chrono::seconds>(now.time - *due).count());
      entry.group->renew_sessions(now);
    }
    if (entry.check_at && *entry.check_at <= now.time) {
      out.checks.push_back(at->first);
      entry.check_at = now.time + kFirstRetentionCheck;  // until what it has committed is known
    }
    settle(at, now, out);
  }
}

}  // namespace topicfs::kafka
