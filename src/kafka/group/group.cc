// Requests to a group. Names of the cases are Kafka's; where its order of checks shows to clients, it is kept.
#include "kafka/group/group.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "kafka/group/text.h"

namespace topicfs::kafka {
namespace {

JoinResult refused(GroupError error, std::string member_id) {
  JoinResult result;
  result.error = error;
  result.member_id = std::move(member_id);
  return result;
}

SyncResult refused_sync(GroupError error) {
  SyncResult result;
  result.error = error;
  return result;
}

bool contradicts(const std::optional<std::string>& asked, const std::string& is) { return asked && *asked != is; }

}  // namespace

// ---- join

void Group::join(Ticket ticket, JoinRequest request, Now now, Actions& out) {
  if (!accepts(request)) {
    // It may be a member of a group that became too large with a smaller limit.
    if (auto there = members_.find(request.member_id); there != members_.end()) drop_member(there, out);
    out.joins.push_back({ticket, refused(GroupError::group_max_size_reached, "")});
  } else if (!supports(request)) {
    out.joins.push_back({ticket, refused(GroupError::inconsistent_protocol, request.member_id)});
  } else if (request.member_id.empty()) {
    join_as_new(ticket, request, now, out);
  } else {
    join_again(ticket, request, now, out);
  }
}

/// While members join, those that have joined count, so that the last ones are left out.
bool Group::accepts(const JoinRequest& request) const {
  auto there = members_.find(request.member_id);
  bool is_member = there != members_.end();
  if (!is_member && !pending_.contains(request.member_id) && members_.size() + pending_.size() >= settings_.max_members)
    return request.instance_id && static_ids_.contains(*request.instance_id);
  if (stage_ == GroupStage::preparing_rebalance)
    return (is_member && there->second.joining) || joining_count_ < settings_.max_members;
  return true;
}

bool Group::supports(const JoinRequest& request) const {
  if (stage_ == GroupStage::empty) return !request.protocol_type.empty() && !request.protocols.empty();
  if (request.protocol_type != protocol_type_) return false;
  return std::any_of(request.protocols.begin(), request.protocols.end(), [this](const Protocol& p) {
    auto found = supported_by_.find(p.name);
    return (found == supported_by_.end() ? 0 : found->second) == members_.size();
  });
}

std::string Group::new_member_id(const JoinRequest& request) {
  return request.instance_id.value_or(request.client_id) + "-" + to_string(random_uuid(random_));
}

void Group::join_as_new(Ticket ticket, JoinRequest& request, Now now, Actions& out) {
  std::string id = new_member_id(request);
  if (request.instance_id && static_ids_.contains(*request.instance_id))
    return replace_static_member(ticket, request, std::move(id), now, out);
  if (request.instance_id || !request.must_know_its_id) return add_member(ticket, request, std::move(id), now, out);
  LOG_DEBUG("group {}: {} is to join with this id", printable(name_), printable(id));
  auto until = now.time + request.session_timeout;
  pending_.emplace(id, until);
  note_wake(until);
  out.joins.push_back({ticket, refused(GroupError::member_id_required, std::move(id))});
}

void Group::join_again(Ticket ticket, JoinRequest& request, Now now, Actions& out) {
  if (pending_.contains(request.member_id) && !request.instance_id)
    return add_member(ticket, request, request.member_id, now, out);
  if (GroupError error = validate({request.member_id, request.instance_id}); error != GroupError::none)
    return out.joins.push_back({ticket, refused(error, request.member_id)});
  Member& member = members_.at(request.member_id);
  bool is_changed = member.protocols != request.protocols;
  // A leader that joins again asks for new shares, for reasons that its metadata need not show.
  bool leads_stable = stage_ == GroupStage::stable && member.id == leader_;
  if (stage_ != GroupStage::preparing_rebalance && !is_changed && !leads_stable)
    return answer_with_current(ticket, member, out);  // it may have missed its answer
  update_member(member, ticket, request, out);
  rebalance_or_complete(member.id + (leads_stable ? ", the leader, joins again: " : " joins again: ") + request.reason, now,
                        out);
}

void Group::answer_with_current(Ticket ticket, const Member& member, Actions& out) const {
  JoinResult result = current(member);
  if (stage_ == GroupStage::completing_rebalance && member.id == leader_) result.members = joined_members();
  out.joins.push_back({ticket, std::move(result)});
}

void Group::add_member(Ticket ticket, JoinRequest& request, std::string id, Now now, Actions& out) {
  MUST(!members_.contains(id));
  if (stage_ == GroupStage::preparing_rebalance && is_initial_) has_new_member_ = true;
  if (members_.empty()) protocol_type_ = request.protocol_type;
  if (leader_.empty()) leader_ = id;
  if (request.instance_id) static_ids_[*request.instance_id] = id;
  pending_.erase(id);
  Member& member = members_[id];
  member.id = id;
  member.instance_id = request.instance_id;
  member.is_new = true;
  bytes_ += sizeof member + 2 * id.size();
  update_member(member, ticket, request, out);
  begin_session(member, now.time + kNewMemberJoinTimeout);
  rebalance_or_complete(id + " joins: " + request.reason, now, out);
}

void Group::update_member(Member& member, Ticket ticket, JoinRequest& request, Actions& out) {
  // An earlier join of the same member: its connection is gone, or it asks twice.
  answer_join(member, refused(GroupError::rebalance_in_progress, member.id), out);
  set_protocols(member, std::move(request.protocols));
  member.client_id = std::move(request.client_id);
  member.client_host = std::move(request.client_host);
  member.session_timeout = request.session_timeout;
  member.rebalance_timeout = std::max(request.rebalance_timeout, std::chrono::milliseconds(0));
  set_joining(member, ticket);
}

/// The one that was there is fenced; its place, share and leadership are the new one's.
void Group::replace_static_member(Ticket ticket, JoinRequest& request, std::string new_id, Now now, Actions& out) {
  auto old = members_.find(static_ids_.at(*request.instance_id));
  MUST(old != members_.end());
  LOG_INFO("group {}: {} takes the place of {}", printable(name_), printable(new_id), printable(old->first));
  answer_join(old->second, refused(GroupError::fenced_instance_id, old->first), out);
  answer_sync(old->second, refused_sync(GroupError::fenced_instance_id), out);
  std::string leader_before = leader_;
  if (leader_ == old->first) leader_ = new_id;
  auto node = members_.extract(old);
  bytes_ = bytes_ + 2 * new_id.size() - 2 * node.key().size();
  node.key() = new_id;
  Member& member = members_.insert(std::move(node)).position->second;
  member.id = new_id;
  static_ids_[*request.instance_id] = new_id;
  begin_session(member, now.time + member.session_timeout);
  bool can_skip = request.can_skip_assignment;
  std::string why = new_id + " comes back: " + request.reason;
  update_member(member, ticket, request, out);
  if (stage_ == GroupStage::stable && select_protocol() == protocol_) {
    member.returning = Return{request_save(out), can_skip ? leader_ : leader_before, can_skip};
  } else if (stage_ == GroupStage::completing_rebalance) {
    prepare_rebalance(why, now, out);  // the leader may have the old id already
  } else {
    rebalance_or_complete(why, now, out);
  }
}

// ---- sync

void Group::sync(Ticket ticket, const SyncRequest& request, Actions& out) {
  auto refuse = [&](GroupError error) { out.syncs.push_back({ticket, refused_sync(error)}); };
  if (stage_ == GroupStage::empty) return refuse(GroupError::unknown_member_id);
  if (GroupError error = validate(request.member); error != GroupError::none) return refuse(error);
  if (request.generation != generation_) return refuse(GroupError::illegal_generation);
  if (contradicts(request.protocol_type, protocol_type_) || contradicts(request.protocol, protocol_))
    return refuse(GroupError::inconsistent_protocol);
  if (stage_ == GroupStage::preparing_rebalance) return refuse(GroupError::rebalance_in_progress);
  Member& member = members_.at(request.member.id);
  answer_sync(member, refused_sync(GroupError::rebalance_in_progress), out);  // an earlier one of the same member
  member.syncing = ticket;
  no_sync_owed(member);
  if (stage_ == GroupStage::stable) return answer_sync(member, share_of(member), out);
  if (member.id != leader_ || assignment_save_) return;
  take_assignments(request);
  assignment_save_ = request_save(out);
}

void Group::take_assignments(const SyncRequest& request) {
  for (auto& [id, member] : members_) set_assignment(member, empty_blob());
  for (const MemberAssignment& a : request.assignments)
    if (auto there = members_.find(a.member_id); there != members_.end()) set_assignment(there->second, a.assignment);
}

// ---- the short ones

GroupError Group::validate(const MemberName& name) const {
  if (name.instance_id) {
    auto there = static_ids_.find(*name.instance_id);
    if (there == static_ids_.end()) return GroupError::unknown_member_id;
    if (there->second != name.id) return GroupError::fenced_instance_id;
  }
  return members_.contains(name.id) ? GroupError::none : GroupError::unknown_member_id;
}

GroupError Group::heartbeat(const MemberName& name, int32_t generation, Now now) {
  if (GroupError error = validate(name); error != GroupError::none) return error;
  if (generation != generation_) return GroupError::illegal_generation;
  Member& member = members_.at(name.id);
  begin_session(member, now.time + member.session_timeout);
  return stage_ == GroupStage::preparing_rebalance ? GroupError::rebalance_in_progress : GroupError::none;
}

GroupError Group::check_commit(const MemberName& name, int32_t generation, Now now) {
  if (generation < 0 && stage_ == GroupStage::empty) return GroupError::none;
  if (generation < 0 && name.id.empty() && !name.instance_id) return GroupError::unknown_member_id;
  if (GroupError error = validate(name); error != GroupError::none) return error;
  if (generation != generation_) return GroupError::illegal_generation;
  if (stage_ == GroupStage::completing_rebalance) return GroupError::rebalance_in_progress;
  Member& member = members_.at(name.id);
  begin_session(member, now.time + member.session_timeout);
  return GroupError::none;
}

std::vector<GroupError> Group::leave(const std::vector<MemberName>& names, Now now, Actions& out) {
  std::vector<GroupError> errors;
  for (const MemberName& name : names) errors.push_back(leave_one(name, out));
  if (std::find(errors.begin(), errors.end(), GroupError::none) != errors.end() && stage_ != GroupStage::empty)
    rebalance_or_complete("a member has left", now, out);
  return errors;
}

/// An administrator names a static member by its instance alone.
GroupError Group::leave_one(const MemberName& name, Actions& out) {
  MemberName who = name;
  if (name.id.empty()) {
    auto there = name.instance_id ? static_ids_.find(*name.instance_id) : static_ids_.end();
    if (there == static_ids_.end()) return GroupError::unknown_member_id;
    who.id = there->second;
  } else if (pending_.erase(name.id) != 0) {
    return GroupError::none;
  }
  if (GroupError error = validate(who); error != GroupError::none) return error;
  LOG_INFO("group {}: {} leaves", printable(name_), printable(who.id));
  drop_member(members_.find(who.id), out);
  return GroupError::none;
}

}  // namespace topicfs::kafka
