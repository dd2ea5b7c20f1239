// Drives the coordinator of groups without handlers: time by hand, saves that succeed when the test says so, and short
// verbs for what clients do.
#pragma once

#include <doctest/doctest.h>

#include <map>

#include "kafka/group/coordinator.h"
#include "support/seeded_random.h"

namespace topicfs::kafka {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct GroupKit {
  explicit GroupKit(GroupSettings with = quick()) : settings(with) { restart(); }
  static GroupSettings quick() {
    GroupSettings s;
    s.initial_rebalance_delay = milliseconds(0);
    return s;
  }

  GroupSettings settings;
  testing::SeededRandom random{7};
  std::optional<GroupCoordinator> groups;
  Now now{seconds(1000), WallMilliseconds(1'700'000'000'000)};
  std::map<std::string, GroupState> saved;  ///< as the engine would have it
  bool saves_by_itself = true;
  GroupError save_error = GroupError::none;
  std::vector<Actions::Save> unsaved;
  std::vector<std::string> checks;
  std::map<Ticket, JoinResult> joined;
  std::map<Ticket, SyncResult> synced;
  Ticket last_ticket = 0;

  /// A new process, with what was saved.
  void restart() {
    groups.emplace(settings, random);
    unsaved.clear();
    std::vector<StoredGroup> stored;
    for (auto& [name, state] : saved) stored.push_back({name, state, 0, WallMilliseconds(0)});
    groups->restore(stored, now);
    groups->set_loaded();
  }
  void take(Actions& actions) {
    for (auto& j : actions.joins) REQUIRE(joined.emplace(j.ticket, std::move(j.result)).second);
    for (auto& s : actions.syncs) REQUIRE(synced.emplace(s.ticket, std::move(s.result)).second);
    for (auto& s : actions.saves) unsaved.push_back(std::move(s));
    for (auto& c : actions.checks) checks.push_back(std::move(c));
    if (saves_by_itself) save_all();
  }
  void save_all() {
    while (!unsaved.empty()) {
      Actions::Save save = std::move(unsaved.front());
      unsaved.erase(unsaved.begin());
      save.state.changed = now.wall;
      if (save_error == GroupError::none) saved[save.group] = save.state;
      Actions actions;
      groups->saved(save.group, save.number, save_error, now, actions);
      take(actions);
    }
  }
  /// Time passes, and what falls due happens at its time.
  void advance(milliseconds by) {
    MonotonicTime end = now.time + by;
    while (auto when = groups->wake_at()) {
      if (*when > end) break;
      step_to(std::max(*when, now.time));
      Actions actions;
      groups->tick(now, actions);
      take(actions);
    }
    step_to(end);
  }
  void step_to(MonotonicTime when) {
    now.wall += std::chrono::duration_cast<WallMilliseconds>(when - now.time);
    now.time = when;
  }

  JoinRequest request(std::string member = "", std::string metadata = "m") {
    JoinRequest r;
    r.group = "g";
    r.member_id = std::move(member);
    r.client_id = "c", r.client_host = "/h";
    r.session_timeout = seconds(10), r.rebalance_timeout = seconds(60);
    r.protocol_type = "consumer";
    r.protocols = {{"range", make_blob(std::move(metadata))}};
    return r;
  }
  Ticket join(JoinRequest r) {
    Ticket ticket = ++last_ticket;
    Actions actions;
    groups->join(ticket, std::move(r), now, actions);
    take(actions);
    return ticket;
  }
  Ticket sync(const std::string& member, int32_t generation, std::vector<MemberAssignment> assignments = {}) {
    SyncRequest r;
    r.group = "g", r.member.id = member, r.generation = generation, r.assignments = std::move(assignments);
    Ticket ticket = ++last_ticket;
    Actions actions;
    groups->sync(ticket, r, now, actions);
    take(actions);
    return ticket;
  }
  GroupError beat(const std::string& member, int32_t generation, std::optional<std::string> instance = {}) {
    GroupError error = groups->heartbeat("g", {member, std::move(instance)}, generation, now);
    advance(milliseconds(0));
    return error;
  }
  GroupError leave(const std::string& member, std::optional<std::string> instance = {}) {
    Actions actions;
    auto left = groups->leave("g", {{member, std::move(instance)}}, now, actions);
    take(actions);
    return left.error == GroupError::none ? left.members.at(0) : left.error;
  }
  GroupError commit(const std::string& member, int32_t generation) {
    return groups->check_commit("g", {member, std::nullopt}, generation, now);
  }

  bool is_joined(Ticket t) const { return joined.contains(t); }
  bool is_synced(Ticket t) const { return synced.contains(t); }
  std::string_view state() const { return name_of(groups->describe("g").value().stage); }

  /// A stable group with this one member; its id.
  std::string lone_member(JoinRequest r) {
    const JoinResult& j = joined.at(join(std::move(r)));
    REQUIRE(j.error == GroupError::none);
    sync(j.member_id, j.generation, {{j.member_id, make_blob("all")}});
    return j.member_id;
  }
  std::string lone_member() { return lone_member(request()); }
  struct Pair {
    std::string a, b;
    int32_t generation;
  };
  /// A stable group of two; `a` leads.
  Pair pair() {
    std::string a = lone_member();
    Ticket b = join(request("", "b"));
    Ticket again = join(request(a));
    const JoinResult& rb = joined.at(b);
    sync(rb.member_id, rb.generation);
    sync(a, rb.generation, {{a, make_blob("for a")}, {rb.member_id, make_blob("for b")}});
    REQUIRE(joined.at(again).leader == a);
    REQUIRE(state() == "Stable");
    return {a, rb.member_id, rb.generation};
  }
};

}  // namespace topicfs::kafka
