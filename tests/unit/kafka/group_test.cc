// The coordinator of consumer groups, in simulated time.
#include <doctest/doctest.h>

#include "kafka/group/subscription.h"
#include "unit/kafka/group_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;
using enum topicfs::kafka::GroupError;

TEST_CASE("the first member leads, gets its share when that is saved, and then its group is stable") {
  GroupKit kit;
  Ticket j = kit.join(kit.request());
  REQUIRE(kit.is_joined(j));
  JoinResult& r = kit.joined[j];
  CHECK(r.error == none);
  CHECK(r.generation == 1);
  CHECK(r.leader == r.member_id);
  CHECK(r.member_id.starts_with("c-"));
  CHECK(r.protocol == "range");
  REQUIRE(r.members.size() == 1);
  CHECK(*r.members[0].metadata == "m");
  CHECK(kit.state() == "CompletingRebalance");
  kit.saves_by_itself = false;
  Ticket s = kit.sync(r.member_id, 1, {{r.member_id, make_blob("all")}});
  CHECK_FALSE(kit.is_synced(s));
  CHECK(kit.beat(r.member_id, 1) == none);
  REQUIRE(kit.unsaved.size() == 1);
  CHECK(kit.unsaved[0].state.members.at(0).assignment == "all");
  CHECK(kit.unsaved[0].state.members.at(0).subscription == "m");
  CHECK(kit.unsaved[0].state.leader == r.member_id);
  kit.save_all();
  REQUIRE(kit.is_synced(s));
  CHECK(*kit.synced[s].assignment == "all");
  CHECK(kit.state() == "Stable");
}

TEST_CASE("KIP-394: a new member is told its id, joins with it, and holds a rebalance until then") {
  GroupKit kit;
  std::string a = kit.lone_member();
  JoinRequest first = kit.request();
  first.must_know_its_id = true;
  JoinResult& told = kit.joined[kit.join(first)];
  CHECK(told.error == member_id_required);
  CHECK(kit.beat(told.member_id, 1) == unknown_member_id);
  CHECK(kit.commit(told.member_id, 1) == unknown_member_id);
  CHECK(kit.state() == "Stable");
  Ticket leader = kit.join(kit.request(a));  // a rebalance: it waits for the id that was given out
  CHECK_FALSE(kit.is_joined(leader));
  Ticket j = kit.join(kit.request(told.member_id));
  CHECK(kit.is_joined(leader));
  CHECK(kit.joined[j].error == none);
  CHECK(kit.joined[j].member_id == told.member_id);
  CHECK(kit.joined[leader].members.size() == 2);
}

TEST_CASE("an id that is never used is forgotten when its session is over, and the rebalance goes on") {
  GroupKit kit;
  std::string a = kit.lone_member();
  JoinRequest first = kit.request();
  first.must_know_its_id = true;
  std::string id = kit.joined[kit.join(first)].member_id;
  Ticket leader = kit.join(kit.request(a));
  kit.advance(seconds(9));
  CHECK_FALSE(kit.is_joined(leader));
  kit.advance(seconds(1));
  CHECK(kit.is_joined(leader));
  CHECK(kit.joined[kit.join(kit.request(id))].error == unknown_member_id);
}

TEST_CASE("the first rebalance waits for more members, longer while they come, never beyond the rebalance timeout") {
  GroupKit kit(GroupSettings{});
  JoinRequest r = kit.request();
  r.rebalance_timeout = seconds(7);
  Ticket a = kit.join(r);
  kit.advance(milliseconds(2999));
  CHECK_FALSE(kit.is_joined(a));
  Ticket b = kit.join(r);
  kit.advance(milliseconds(2999));
  CHECK_FALSE(kit.is_joined(a));
  Ticket c = kit.join(r);
  kit.advance(milliseconds(1001));  // 6.999 s: the third wait is the last second of the timeout
  CHECK_FALSE(kit.is_joined(a));
  kit.advance(milliseconds(1));
  CHECK(kit.is_joined(a));
  CHECK(kit.is_joined(b));
  CHECK(kit.joined[c].generation == 1);
}

TEST_CASE("a lone first member is answered after the initial delay") {
  GroupKit kit(GroupSettings{});
  Ticket a = kit.join(kit.request());
  kit.advance(milliseconds(3000));
  CHECK(kit.is_joined(a));
}

TEST_CASE("a second member makes the first one join again, and both get what the leader gives them") {
  GroupKit kit;
  std::string a = kit.lone_member();
  Ticket b = kit.join(kit.request("", "b"));
  CHECK_FALSE(kit.is_joined(b));
  CHECK(kit.beat(a, 1) == rebalance_in_progress);
  Ticket sync_now = kit.sync(a, 1);
  CHECK(kit.synced[sync_now].error == rebalance_in_progress);
  CHECK(kit.commit(a, 1) == none);
  Ticket again = kit.join(kit.request(a));
  REQUIRE(kit.is_joined(b));
  CHECK(kit.joined[again].members.size() == 2);
  CHECK(kit.joined[b].members.empty());
  CHECK(kit.joined[b].leader == a);
  CHECK(kit.joined[b].generation == 2);
  std::string b_id = kit.joined[b].member_id;
  CHECK(kit.commit(a, 2) == rebalance_in_progress);
  Ticket sb = kit.sync(b_id, 2);
  CHECK_FALSE(kit.is_synced(sb));
  Ticket sa = kit.sync(a, 2, {{a, make_blob("1")}, {b_id, make_blob("2")}, {"nobody", make_blob("3")}});
  CHECK(*kit.synced[sa].assignment == "1");
  CHECK(*kit.synced[sb].assignment == "2");
  CHECK(kit.commit(b_id, 2) == none);
  CHECK(kit.commit(b_id, 1) == illegal_generation);
  CHECK(kit.commit("", -1) == unknown_member_id);
}

TEST_CASE("a member that does not join again in time is out") {
  GroupKit kit;
  std::string a = kit.lone_member();
  JoinRequest r = kit.request("", "b");
  r.rebalance_timeout = seconds(5);
  Ticket b = kit.join(r);
  for (int i = 0; i < 12; i++) {
    kit.advance(seconds(5));  // the longest of the members' timeouts counts: a's 60 s
    if (i < 11) REQUIRE(kit.beat(a, 1) == rebalance_in_progress);
  }
  REQUIRE(kit.is_joined(b));
  CHECK(kit.joined[b].leader == kit.joined[b].member_id);
  CHECK(kit.joined[b].members.size() == 1);
  CHECK(kit.beat(a, 1) == unknown_member_id);
}

TEST_CASE("a member that does not ask for its share in time is out, and the others join again") {
  GroupKit kit;
  auto [a, b, generation] = kit.pair();
  Ticket ja = kit.join(kit.request(a));
  Ticket jb = kit.join(kit.request(b, "b"));
  REQUIRE(kit.is_joined(jb));
  kit.sync(a, kit.joined[ja].generation, {{a, make_blob("x")}});
  CHECK(kit.state() == "Stable");
  for (int i = 0; i < 11; i++) {
    kit.advance(seconds(5));
    REQUIRE(kit.beat(a, 3) == none);
    REQUIRE(kit.beat(b, 3) == none);
  }
  kit.advance(seconds(5));
  CHECK(kit.beat(b, 3) == unknown_member_id);
  CHECK(kit.beat(a, 3) == rebalance_in_progress);
}

TEST_CASE("a member without heartbeats is out when its session is over; commits keep it too") {
  GroupKit kit;
  auto [a, b, generation] = kit.pair();
  for (int i = 0; i < 3; i++) {
    kit.advance(seconds(6));
    if (i < 2) REQUIRE(kit.beat(a, generation) == none);
    if (i == 0) REQUIRE(kit.commit(b, generation) == none);
    if (i == 1) REQUIRE(kit.state() == "Stable");
  }
  CHECK(kit.beat(b, generation) == unknown_member_id);
  CHECK(kit.beat(a, generation) == rebalance_in_progress);
  Ticket again = kit.join(kit.request(a));
  CHECK(kit.joined[again].members.size() == 1);
}

TEST_CASE("a member that dies right after it has joined is out when its session is over") {
  GroupKit kit;
  CHECK(kit.joined[kit.join(kit.request())].error == none);
  kit.advance(seconds(9));
  CHECK(kit.state() == "CompletingRebalance");
  kit.advance(seconds(1));
  CHECK(kit.state() == "Empty");
}

TEST_CASE("a member that waits for an answer is alive, however short its session") {
  GroupKit kit;
  std::string a = kit.lone_member();
  JoinRequest r = kit.request("", "b");
  r.session_timeout = seconds(6);
  Ticket b = kit.join(r);
  for (int i = 0; i < 8; i++) {
    kit.advance(seconds(5));
    REQUIRE(kit.beat(a, 1) == rebalance_in_progress);
  }
  CHECK_FALSE(kit.is_joined(b));
  kit.join(kit.request(a));
  CHECK(kit.joined[b].error == none);
}

TEST_CASE("a new member whose join waits for too long is told to begin anew") {
  GroupKit kit;
  JoinRequest r = kit.request();
  r.rebalance_timeout = std::chrono::minutes(20);
  std::string a = kit.lone_member(r);
  Ticket b = kit.join(kit.request("", "b"));
  for (int i = 0; i < 60; i++) {
    kit.advance(seconds(5));
    REQUIRE(kit.beat(a, 1) == rebalance_in_progress);
  }
  REQUIRE(kit.is_joined(b));
  CHECK(kit.joined[b].error == unknown_member_id);
}

TEST_CASE("a follower that joins again unchanged disturbs nobody; changed, or as the leader, it does") {
  GroupKit kit;
  auto [a, b, generation] = kit.pair();
  JoinResult& same = kit.joined[kit.join(kit.request(b, "b"))];
  CHECK(same.error == none);
  CHECK(same.generation == generation);
  CHECK(same.members.empty());
  CHECK(kit.state() == "Stable");
  Ticket sync = kit.sync(b, generation);
  CHECK(*kit.synced[sync].assignment == "for b");
  SUBCASE("changed") {
    Ticket t = kit.join(kit.request(b, "new"));
    CHECK_FALSE(kit.is_joined(t));
    CHECK(kit.state() == "PreparingRebalance");
  }
  SUBCASE("the leader") {
    Ticket t = kit.join(kit.request(a));
    CHECK_FALSE(kit.is_joined(t));
    CHECK(kit.beat(b, generation) == rebalance_in_progress);
  }
}

TEST_CASE("a member that missed the answer to its join gets it again while shares are awaited") {
  GroupKit kit;
  JoinResult first = kit.joined[kit.join(kit.request())];
  JoinResult& again = kit.joined[kit.join(kit.request(first.member_id))];
  CHECK(again.generation == first.generation);
  CHECK(again.members.size() == 1);
  CHECK(kit.state() == "CompletingRebalance");
}

TEST_CASE("a rebalance in the middle of the shares sends those who wait for one back to join") {
  GroupKit kit;
  auto [a, b, generation] = kit.pair();
  kit.join(kit.request(a));
  kit.join(kit.request(b, "b"));
  Ticket sb = kit.sync(b, generation + 1);
  CHECK_FALSE(kit.is_synced(sb));
  Ticket c = kit.join(kit.request("", "c"));
  CHECK(kit.synced[sb].error == rebalance_in_progress);
  CHECK_FALSE(kit.is_joined(c));
  CHECK(kit.state() == "PreparingRebalance");
}

TEST_CASE("shares that arrive saved after their generation is over are not handed out") {
  GroupKit kit;
  JoinResult a = kit.joined[kit.join(kit.request())];
  kit.saves_by_itself = false;
  Ticket sync = kit.sync(a.member_id, 1, {{a.member_id, make_blob("old")}});
  Ticket b = kit.join(kit.request("", "b"));
  CHECK(kit.synced[sync].error == rebalance_in_progress);
  kit.save_all();
  CHECK(kit.state() == "PreparingRebalance");
  CHECK_FALSE(kit.is_joined(b));
}

TEST_CASE("shares that cannot be saved are an error for all, and they join again") {
  GroupKit kit;
  JoinResult a = kit.joined[kit.join(kit.request())];
  kit.save_error = not_coordinator;
  Ticket sync = kit.sync(a.member_id, 1, {{a.member_id, make_blob("x")}});
  CHECK(kit.synced[sync].error == not_coordinator);
  CHECK(kit.state() == "PreparingRebalance");
  kit.save_error = none;
  Ticket again = kit.join(kit.request(a.member_id));
  CHECK(kit.joined[again].generation == 2);
}

TEST_CASE("the last member's leaving empties the group, which is saved, and its generation goes on") {
  GroupKit kit;
  std::string a = kit.lone_member();
  CHECK(kit.leave(a) == none);
  CHECK(kit.leave(a) == unknown_member_id);
  CHECK(kit.state() == "Empty");
  CHECK(kit.saved["g"].generation == 2);
  CHECK(kit.saved["g"].members.empty());
  CHECK(kit.beat(a, 1) == unknown_member_id);
  CHECK(kit.synced[kit.sync(a, 1)].error == unknown_member_id);
  CHECK(kit.joined[kit.join(kit.request(a))].error == unknown_member_id);
  JoinRequest connect = kit.request();
  connect.protocol_type = "connect";
  CHECK(kit.joined[kit.join(connect)].generation == 3);
}

TEST_CASE("a member that leaves makes the others join again at once") {
  GroupKit kit;
  auto [a, b, generation] = kit.pair();
  CHECK(kit.leave(b) == none);
  CHECK(kit.beat(a, generation) == rebalance_in_progress);
  CHECK(kit.joined[kit.join(kit.request(a))].members.size() == 1);
}

TEST_CASE("who waits to join and is taken out is told so") {
  GroupKit kit;
  std::string a = kit.lone_member();
  JoinRequest r = kit.request();
  r.must_know_its_id = true;
  std::string b = kit.joined[kit.join(r)].member_id;
  Ticket waits = kit.join(kit.request(b));
  CHECK(kit.leave(b) == none);
  CHECK(kit.joined[waits].error == unknown_member_id);
}

TEST_CASE("an id that was given out can be given back") {
  GroupKit kit;
  JoinRequest r = kit.request();
  r.must_know_its_id = true;
  std::string id = kit.joined[kit.join(r)].member_id;
  CHECK(kit.leave(id) == none);
  CHECK(kit.joined[kit.join(kit.request(id))].error == unknown_member_id);
}

TEST_CASE("requests that make no sense are refused, each with its error") {
  GroupKit kit;
  auto error = [&](auto change) {
    JoinRequest r = kit.request();
    change(r);
    return kit.joined[kit.join(r)].error;
  };
  CHECK(error([](JoinRequest& r) { r.group = ""; }) == invalid_group_id);
  CHECK(error([](JoinRequest& r) { r.session_timeout = milliseconds(5999); }) == invalid_session_timeout);
  CHECK(error([](JoinRequest& r) { r.session_timeout = milliseconds(1'800'001); }) == invalid_session_timeout);
  CHECK(error([](JoinRequest& r) { r.member_id = "nobody"; }) == unknown_member_id);
  CHECK(error([](JoinRequest& r) { r.protocols.clear(); }) == inconsistent_protocol);
  CHECK(error([](JoinRequest& r) { r.protocol_type = ""; }) == inconsistent_protocol);
  std::string a = kit.lone_member();
  CHECK(error([](JoinRequest& r) { r.protocol_type = "connect"; }) == inconsistent_protocol);
  CHECK(error([](JoinRequest& r) { r.protocols[0].name = "sticky"; }) == inconsistent_protocol);
  CHECK(error([](JoinRequest& r) { r.member_id = "nobody"; }) == unknown_member_id);
  CHECK(kit.beat(a, 2) == illegal_generation);
  CHECK(kit.beat("nobody", 1) == unknown_member_id);
  CHECK(kit.synced[kit.sync(a, 0)].error == illegal_generation);
  CHECK(kit.groups->heartbeat("other", {a, {}}, 1, kit.now) == unknown_member_id);
  CHECK(kit.state() == "Stable");
}

TEST_CASE("the protocol is one that all members know, and that most prefer") {
  GroupKit kit;
  auto with = [&](std::vector<std::string> names, std::string member = "") {
    JoinRequest r = kit.request(std::move(member));
    r.protocols.clear();
    for (auto& n : names) r.protocols.push_back({n, make_blob("for " + n)});
    return r;
  };
  Ticket first = kit.join(with({"x", "y", "z", "x"}));
  std::string a = kit.joined[first].member_id;
  CHECK(kit.joined[first].protocol == "x");
  kit.join(with({"z", "y", "w"}));
  kit.join(with({"z", "w", "y"}));
  Ticket again = kit.join(with({"x", "y", "z"}, a));
  REQUIRE(kit.is_joined(again));
  CHECK(kit.joined[again].protocol == "z");
  for (auto& m : kit.joined[again].members) CHECK(*m.metadata == "for z");
}

TEST_CASE("more members than the limit are refused, and ids that were given out count") {
  GroupSettings two = GroupKit::quick();
  two.max_members = 2;
  GroupKit kit(two);
  auto [a, b, generation] = kit.pair();
  CHECK(kit.joined[kit.join(kit.request())].error == group_max_size_reached);
  CHECK(kit.beat(a, generation) == none);
  kit.leave(b);
  JoinRequest r = kit.request();
  r.must_know_its_id = true;
  CHECK(kit.joined[kit.join(r)].error == member_id_required);
  CHECK(kit.joined[kit.join(r)].error == group_max_size_reached);
}

TEST_CASE("metadata without measure is refused, and what members had is counted back") {
  GroupKit kit;
  JoinRequest r = kit.request();
  r.protocols[0].metadata = make_blob(std::string(kMaxBytesOfOneGroup, 'x'));
  CHECK(kit.joined[kit.join(r)].error == group_max_size_reached);
  CHECK(kit.groups->bytes() == 0);
  auto [a, b, generation] = kit.pair();
  CHECK(kit.groups->bytes() > 0);
  kit.leave(a);
  kit.leave(b);
  CHECK(kit.groups->bytes() == 0);
}

TEST_CASE("an idle group of members is looked at once a session, one without members for its offsets alone") {
  GroupKit kit;
  std::string a = kit.lone_member();
  int wakes = 0;
  MonotonicTime end = kit.now.time + std::chrono::minutes(10);
  for (auto beat_at = kit.now.time; kit.now.time < end;) {
    auto next = std::min(*kit.groups->wake_at(), beat_at);
    if (next == *kit.groups->wake_at()) wakes++;
    kit.advance(std::chrono::duration_cast<milliseconds>(next - kit.now.time));
    if (next != beat_at) continue;
    REQUIRE(kit.beat(a, 1) == none);
    beat_at += seconds(3);
  }
  CHECK(wakes < 100);
  kit.leave(a);
  MonotonicTime left = kit.now.time;
  kit.advance(seconds(10));  // the end of its session was noted already
  CHECK(*kit.groups->wake_at() == left + kFirstRetentionCheck);
  GroupKit nothing;
  CHECK_FALSE(nothing.groups->wake_at());
}

TEST_CASE("a process that was stopped for a minute throws nobody out") {
  GroupKit kit;
  auto [a, b, generation] = kit.pair();
  kit.step_to(kit.now.time + std::chrono::minutes(1));
  Actions actions;
  kit.groups->tick(kit.now, actions);
  kit.take(actions);
  CHECK(kit.beat(a, generation) == none);
  kit.advance(seconds(10));
  CHECK(kit.beat(b, generation) == unknown_member_id);
}

TEST_CASE("subscriptions are read from the consumer protocol, and nothing is read beyond their end") {
  using namespace std::string_literals;
  std::string v0 = "\0\0\0\0\0\2\0\1a\0\2bc\0\0\0\3xyz"s;
  CHECK(subscribed_topics(v0) == std::vector<std::string>{"a", "bc"});
  CHECK(subscribed_topics("\0\3\0\0\0\1\0\1a\xff\xff\xff\xff\0\0\0\0"s) == std::vector<std::string>{"a"});
  for (size_t n = 0; n < v0.size(); n++) CHECK_FALSE(subscribed_topics(v0.substr(0, n)));
  CHECK_FALSE(subscribed_topics("\0\0\x7f\xff\xff\xff\0\1a"s));
  CHECK_FALSE(subscribed_topics("\0\0\0\0\0\1\xff\xff"s));
}
