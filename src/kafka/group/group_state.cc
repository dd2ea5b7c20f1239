// What a group keeps of its members, and how it shows it: to the engine, to leaders, to administrators.
#include "base/check.h"
#include "kafka/group/group.h"
#include "kafka/group/subscription.h"

namespace topicfs::kafka {

std::string_view name_of(GroupStage stage) {
  switch (stage) {
    case GroupStage::empty: return "Empty";
    case GroupStage::preparing_rebalance: return "PreparingRebalance";
    case GroupStage::completing_rebalance: return "CompletingRebalance";
    case GroupStage::stable: return "Stable";
  }
  return "";
}

Group::Group(std::string name, const GroupSettings& settings, Random& random, uint32_t incarnation, Now now)
    : name_(std::move(name)),
      settings_(settings),
      random_(random),
      empty_since_(now.wall),
      last_save_(uint64_t{incarnation} << 32) {}

void Group::restore(const GroupState& state, Now now) {
  MUST(members_.empty());
  protocol_type_ = state.protocol_type;
  generation_ = state.generation;
  if (state.members.empty()) {
    empty_since_ = state.changed;
    return;
  }
  stage_ = GroupStage::stable;
  protocol_ = state.protocol;
  leader_ = state.leader;
  for (const GroupMember& from : state.members) {
    Member& member = members_[from.id];
    member.id = from.id;
    member.instance_id = from.instance_id;
    if (from.instance_id) static_ids_[*from.instance_id] = from.id;
    member.client_id = from.client_id;
    member.client_host = from.client_host;
    member.session_timeout = std::chrono::milliseconds(from.session_timeout_ms);
    member.rebalance_timeout = std::chrono::milliseconds(from.rebalance_timeout_ms);
    bytes_ += sizeof member + 2 * from.id.size();
    set_protocols(member, {{state.protocol, make_blob(from.subscription)}});
    set_assignment(member, make_blob(from.assignment));
    begin_session(member, now.time + member.session_timeout);
  }
  if (!members_.contains(leader_)) leader_ = members_.begin()->first;
}

// ---- members

Group::Members::iterator Group::erase_member(Members::iterator at) {
  Member& member = at->second;
  MUST(!member.joining && !member.syncing);
  set_protocols(member, {});
  set_assignment(member, empty_blob());
  bytes_ -= sizeof member + 2 * at->first.size();
  if (member.instance_id) static_ids_.erase(*member.instance_id);
  bool was_leader = at->first == leader_;
  auto next = members_.erase(at);
  if (was_leader) leader_ = members_.empty() ? "" : members_.begin()->first;
  return next;
}

/// Whoever waits for an answer as this member is told that it is none.
void Group::drop_member(Members::iterator at, Actions& out) {
  JoinResult gone;
  gone.error = GroupError::unknown_member_id;
  answer_join(at->second, std::move(gone), out);
  SyncResult gone_too;
  gone_too.error = GroupError::unknown_member_id;
  answer_sync(at->second, std::move(gone_too), out);
  erase_member(at);
}

void Group::set_protocols(Member& member, std::vector<Protocol> protocols) {
  for (const Protocol& p : member.protocols) {
    auto counted = supported_by_.find(p.name);
    if (--counted->second == 0) supported_by_.erase(counted);
    bytes_ -= sizeof p + p.name.size() + p.metadata->size();
  }
  member.protocols = std::move(protocols);
  for (const Protocol& p : member.protocols) {
    supported_by_[p.name]++;
    bytes_ += sizeof p + p.name.size() + p.metadata->size();
  }
}

void Group::set_assignment(Member& member, Blob assignment) {
  bytes_ = bytes_ - member.assignment->size() + assignment->size();
  member.assignment = std::move(assignment);
}

void Group::set_joining(Member& member, std::optional<Ticket> ticket) {
  if (member.joining) joining_count_--;
  member.joining = ticket;
  if (member.joining) joining_count_++;
}

// ---- answers

void Group::answer_join(Member& member, JoinResult result, Actions& out) {
  member.returning.reset();
  if (!member.joining) return;
  out.joins.push_back({*member.joining, std::move(result)});
  set_joining(member, std::nullopt);
}

void Group::answer_sync(Member& member, SyncResult result, Actions& out) {
  if (!member.syncing) return;
  out.syncs.push_back({*member.syncing, std::move(result)});
  member.syncing.reset();
}

JoinResult Group::current(const Member& member) const {
  JoinResult result;
  result.member_id = member.id;
  result.generation = generation_;
  result.protocol_type = protocol_type_;
  result.protocol = protocol_;
  result.leader = leader_;
  return result;
}

SyncResult Group::share_of(const Member& member) const {
  return {GroupError::none, protocol_type_, protocol_, member.assignment};
}

std::vector<JoinedMember> Group::joined_members() const {
  std::vector<JoinedMember> all;
  for (const auto& [id, member] : members_) all.push_back({id, member.instance_id, metadata_of(member)});
  return all;
}

Blob Group::metadata_of(const Member& member) const {
  for (const Protocol& p : member.protocols)
    if (p.name == protocol_) return p.metadata;
  return empty_blob();
}

// ---- views

GroupState Group::snapshot() const {
  GroupState state;
  state.protocol_type = protocol_type_;
  state.generation = generation_;
  state.protocol = protocol_;
  state.leader = leader_;
  for (const auto& [id, member] : members_)
    state.members.push_back({id, member.instance_id, member.client_id, member.client_host,
                             static_cast<int32_t>(member.session_timeout.count()),
                             static_cast<int32_t>(member.rebalance_timeout.count()), *metadata_of(member),
                             *member.assignment});
  return state;
}

GroupView Group::view() const {
  GroupView view;
  view.name = name_;
  view.protocol_type = protocol_type_;
  view.stage = stage_;
  bool is_stable = stage_ == GroupStage::stable;
  if (is_stable) view.protocol = protocol_;
  for (const auto& [id, member] : members_)
    view.members.push_back({id, member.client_id, member.client_host, member.instance_id,
                            is_stable ? metadata_of(member) : empty_blob(), member.assignment});
  return view;
}

bool Group::may_be_subscribed_to(const std::string& topic) const {
  if (protocol_type_ != kConsumerProtocolType) return false;
  for (const auto& [id, member] : members_) {
    auto topics = subscribed_topics(*metadata_of(member));
    if (!topics) return true;
    for (const std::string& t : *topics)
      if (t == topic) return true;
  }
  return false;
}

}  // namespace topicfs::kafka
