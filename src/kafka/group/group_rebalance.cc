// How a group gets from one generation to the next: its waits and their ends, and what is saved on the way.
#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/log.h"
#include "kafka/group/group.h"
#include "kafka/group/text.h"

namespace topicfs::kafka {

using std::chrono::milliseconds;

/// Clients choose their rebalance timeout; one of 0 must not make a loop of this wait.
constexpr milliseconds kMinWaitForStaticMembers{100};

// ---- the wait for members to join

void Group::rebalance_or_complete(std::string_view why, Now now, Actions& out) {
  if (stage_ == GroupStage::preparing_rebalance) maybe_complete_join(now, out);
  else prepare_rebalance(why, now, out);
}

void Group::prepare_rebalance(std::string_view why, Now now, Actions& out) {
  LOG_INFO("group {}: rebalances from generation {}: {}", printable(name_), generation_, printable(why));
  if (stage_ == GroupStage::completing_rebalance) reset_assignments(GroupError::rebalance_in_progress, out);
  for (auto& [id, member] : members_) member.owes_sync = false;
  sync_ends_.reset();
  assignment_save_.reset();
  is_initial_ = stage_ == GroupStage::empty;
  has_new_member_ = false;
  stage_ = GroupStage::preparing_rebalance;
  if (is_initial_) {
    initial_delay_ = settings_.initial_rebalance_delay;
    initial_rest_ = std::max(rebalance_timeout() - initial_delay_, milliseconds(0));
    join_ends_ = now.time + initial_delay_;
    note_wake(*join_ends_);
  } else if (all_have_joined()) {
    complete_join(now, out);
  } else {
    join_ends_ = now.time + rebalance_timeout();
    note_wake(*join_ends_);
  }
}

/// The first rebalance of a group goes on for its whole delay, because more members are likely to come.
void Group::maybe_complete_join(Now now, Actions& out) {
  if (!is_initial_ && all_have_joined()) complete_join(now, out);
}

void Group::end_join_wait(Now now, Actions& out) {
  if (!is_initial_ || !has_new_member_ || initial_rest_.count() == 0) return complete_join(now, out);
  has_new_member_ = false;
  milliseconds waited = initial_delay_;
  initial_delay_ = std::min(settings_.initial_rebalance_delay, initial_rest_);
  initial_rest_ = std::max(initial_rest_ - waited, milliseconds(0));
  join_ends_ = now.time + initial_delay_;
}

/// Dynamic members that have not joined are out; a static one keeps its place until its session ends.
void Group::complete_join(Now now, Actions& out) {
  join_ends_.reset();
  for (auto at = members_.begin(); at != members_.end();)
    at = at->second.joining || at->second.instance_id ? std::next(at) : erase_member(at);
  if (!elect_leader() && !members_.empty()) {
    join_ends_ = now.time + std::max(rebalance_timeout(), kMinWaitForStaticMembers);
    return note_wake(*join_ends_);
  }
  begin_generation(now, out);
}

void Group::begin_generation(Now now, Actions& out) {
  is_initial_ = false;
  generation_ = generation_ == std::numeric_limits<int32_t>::max() ? 0 : generation_ + 1;
  if (members_.empty()) {
    LOG_INFO("group {}: is empty, generation {}", printable(name_), generation_);
    stage_ = GroupStage::empty;
    protocol_.clear();
    empty_since_ = now.wall;
    request_save(out);
    return;
  }
  stage_ = GroupStage::completing_rebalance;
  protocol_ = select_protocol();
  LOG_INFO("group {}: generation {} has {} members, led by {}", printable(name_), generation_, members_.size(),
           printable(leader_));
  for (auto& [id, member] : members_) {
    JoinResult result = current(member);
    if (id == leader_) result.members = joined_members();
    answer_join(member, std::move(result), out);
    begin_session(member, now.time + member.session_timeout);
    member.is_new = false;
    member.owes_sync = true;
  }
  sync_ends_ = now.time + rebalance_timeout();
  note_wake(*sync_ends_);
}

/// A leader that has not joined makes place. False if nobody can lead.
bool Group::elect_leader() {
  auto leader = members_.find(leader_);
  if (leader != members_.end() && leader->second.joining) return true;
  auto joined = std::find_if(members_.begin(), members_.end(), [](const auto& m) { return m.second.joining.has_value(); });
  if (joined == members_.end()) return false;
  leader_ = joined->first;
  return true;
}

/// Each member votes for the first of its protocols that all support. Between equals the leader's order decides.
std::string Group::select_protocol() const {
  auto is_common = [this](const Protocol& p) { return supported_by_.at(p.name) == members_.size(); };
  std::map<std::string, size_t> votes;
  for (const auto& [id, member] : members_) {
    auto first = std::find_if(member.protocols.begin(), member.protocols.end(), is_common);
    MUST(first != member.protocols.end());
    votes[first->name]++;
  }
  const std::string* chosen = nullptr;
  for (const Protocol& p : members_.at(leader_).protocols)
    if (auto v = votes.find(p.name); v != votes.end() && (!chosen || v->second > votes[*chosen])) chosen = &p.name;
  MUST(chosen != nullptr);
  return *chosen;
}

milliseconds Group::rebalance_timeout() const {
  milliseconds longest{0};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

// ---- the wait for members to ask for their shares

void Group::no_sync_owed(Member& member) {
  member.owes_sync = false;
  if (std::none_of(members_.begin(), members_.end(), [](const auto& m) { return m.second.owes_sync; })) sync_ends_.reset();
}

void Group::end_sync_wait(Now now, Actions& out) {
  sync_ends_.reset();
  for (auto at = members_.begin(); at != members_.end();) {
    auto member = at++;
    if (member->second.owes_sync) drop_member(member, out);
  }
  prepare_rebalance("members have not asked for their shares in time", now, out);
}

void Group::reset_assignments(GroupError error, Actions& out) {
  for (auto& [id, member] : members_) {
    set_assignment(member, empty_blob());
    SyncResult result;
    result.error = error;
    answer_sync(member, std::move(result), out);
  }
}

// ---- time

void Group::note_wake(MonotonicTime when) { wake_at_ = wake_at_ ? std::min(*wake_at_, when) : when; }

void Group::begin_session(Member& member, MonotonicTime ends) {
  member.session_ends = ends;
  note_wake(ends);
}

void Group::renew_sessions(Now now) {
  for (auto& [id, until] : pending_) until = std::max(until, now.time + settings_.min_session_timeout);
  for (auto& [id, member] : members_)
    if (member.session_ends) member.session_ends = std::max(*member.session_ends, now.time + member.session_timeout);
}

void Group::tick(Now now, Actions& out) {
  if (!wake_at_ || *wake_at_ > now.time) return;
  expire_sessions(now, out);
  if (join_ends_ && *join_ends_ <= now.time) end_join_wait(now, out);
  if (sync_ends_ && *sync_ends_ <= now.time) end_sync_wait(now, out);
  find_next_wake();
}

/// Members whose sessions are over. One that waits for an answer from here is alive, whatever its session says; it
/// begins anew with the answer.
std::vector<std::string> Group::take_expired(Now now) {
  std::vector<std::string> expired;
  for (auto& [id, member] : members_) {
    if (!member.session_ends || *member.session_ends > now.time) continue;
    member.session_ends.reset();
    if (member.is_new || (!member.joining && !member.syncing)) expired.push_back(id);
  }
  return expired;
}

void Group::expire_sessions(Now now, Actions& out) {
  size_t gone = std::erase_if(pending_, [&](const auto& p) { return p.second <= now.time; });
  std::vector<std::string> expired = take_expired(now);
  for (const std::string& id : expired) {
    LOG_INFO("group {}: {} has not been heard of within its session", printable(name_), printable(id));
    drop_member(members_.find(id), out);
  }
  if (stage_ == GroupStage::preparing_rebalance && gone + expired.size() > 0 && all_have_joined()) complete_join(now, out);
  else if (stage_ != GroupStage::preparing_rebalance && !expired.empty()) prepare_rebalance("a session has ended", now, out);
}

void Group::find_next_wake() {
  wake_at_.reset();
  for (const auto& [id, until] : pending_) note_wake(until);
  for (const auto& [id, member] : members_)
    if (member.session_ends) note_wake(*member.session_ends);
  if (join_ends_) note_wake(*join_ends_);
  if (sync_ends_) note_wake(*sync_ends_);
}

// ---- saves: one is under way, and if more has changed meanwhile, another follows

/// The number of the save that will hold what is now.
uint64_t Group::request_save(Actions& out) {
  if (saving_) {
    save_wanted_ = true;
    return last_save_ + 1;
  }
  begin_save(out);
  return last_save_;
}

void Group::begin_save(Actions& out) {
  save_wanted_ = false;
  saving_ = ++last_save_;
  out.saves.push_back({name_, last_save_, snapshot()});
}

void Group::saved(uint64_t number, GroupError error, Now now, Actions& out) {
  if (saving_ != number) return;  // of an earlier group of this name
  saving_.reset();
  settle_save(number, error, now, out);
  // While members join there is nothing to save: what they come to will be.
  if (!saving_ && std::exchange(save_wanted_, false) && stage_ != GroupStage::preparing_rebalance) begin_save(out);
}

void Group::settle_save(uint64_t number, GroupError error, Now now, Actions& out) {
  if (stage_ == GroupStage::completing_rebalance && assignment_save_ && *assignment_save_ <= number) {
    assignment_save_.reset();
    if (error != GroupError::none) {
      reset_assignments(error, out);
      return prepare_rebalance("the shares could not be saved", now, out);
    }
    stage_ = GroupStage::stable;
    for (auto& [id, member] : members_) {
      if (!member.syncing) continue;
      answer_sync(member, share_of(member), out);
      begin_session(member, now.time + member.session_timeout);
    }
  }
  if (stage_ != GroupStage::stable) return;
  for (auto& [id, member] : members_) {
    if (!member.joining || !member.returning || member.returning->save > number) continue;
    JoinResult result = current(member);
    result.error = error;
    if (error != GroupError::none) result.member_id.clear();
    result.leader = member.returning->leader;
    result.skip_assignment = member.returning->can_skip_assignment && id == leader_;
    if (result.skip_assignment) result.members = joined_members();
    answer_join(member, std::move(result), out);
    member.is_new = false;
  }
}

}  // namespace topicfs::kafka
