// Static members, restarts of the coordinator, and how long offsets are kept.
#include <doctest/doctest.h>

#include "unit/kafka/group_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;
using enum topicfs::kafka::GroupError;

namespace {

struct StaticKit : GroupKit {
  using GroupKit::GroupKit;
  JoinRequest as(std::string instance, std::string member = "", std::string metadata = "m") {
    JoinRequest r = request(std::move(member), std::move(metadata));
    r.instance_id = std::move(instance);
    return r;
  }
};

CommittedOffset offset_at(uint32_t partition, WallMilliseconds when) {
  CommittedOffset o;
  o.partition = PartitionId(partition), o.committed = when;
  return o;
}

}  // namespace

TEST_CASE("KIP-345: a static member comes back to its share without a rebalance, and the one before it is fenced") {
  StaticKit kit;
  std::string old_id = kit.lone_member(kit.as("i"));
  CHECK(old_id.starts_with("i-"));
  kit.saves_by_itself = false;
  JoinRequest r = kit.as("i");
  r.can_skip_assignment = true;
  Ticket t = kit.join(r);
  CHECK_FALSE(kit.is_joined(t));  // its new id has to be known after a restart
  kit.save_all();
  JoinResult& back = kit.joined[t];
  CHECK(back.error == none);
  CHECK(back.generation == 1);
  CHECK(back.member_id != old_id);
  CHECK(back.leader == back.member_id);
  CHECK(back.skip_assignment);
  CHECK(back.members.size() == 1);
  CHECK(kit.state() == "Stable");
  CHECK(*kit.synced[kit.sync(back.member_id, 1)].assignment == "all");
  CHECK(kit.beat(old_id, 1, "i") == fenced_instance_id);
  CHECK(kit.beat(back.member_id, 1, "i") == none);
  CHECK(kit.beat(back.member_id, 1, "j") == unknown_member_id);
}

TEST_CASE("an older client that comes back is not told that it leads, so that it gives out no shares") {
  StaticKit kit;
  std::string old_id = kit.lone_member(kit.as("i"));
  JoinResult& back = kit.joined[kit.join(kit.as("i"))];
  CHECK(back.leader == old_id);
  CHECK(back.members.empty());
  CHECK_FALSE(back.skip_assignment);
}

TEST_CASE("a static member that comes back with another subscription to the same protocol disturbs nobody") {
  StaticKit kit;
  kit.lone_member(kit.as("i"));
  CHECK(kit.joined[kit.join(kit.as("i", "", "new"))].generation == 1);
  CHECK(kit.saved["g"].members.at(0).subscription == "new");
}

TEST_CASE("a static member that comes back for another protocol makes a rebalance") {
  StaticKit kit;
  JoinRequest both = kit.as("i");
  both.protocols.push_back({"sticky", make_blob("")});
  kit.lone_member(both);
  JoinRequest other = kit.as("i");
  other.protocols = {{"sticky", make_blob("")}, {"range", make_blob("")}};
  JoinResult& back = kit.joined[kit.join(other)];
  CHECK(back.generation == 2);
  CHECK(back.protocol == "sticky");
}

TEST_CASE("a join or sync that waits is fenced when another takes its place") {
  StaticKit kit;
  auto a = kit.lone_member();
  Ticket first = kit.join(kit.as("i"));
  Ticket second = kit.join(kit.as("i"));
  CHECK(kit.joined[first].error == fenced_instance_id);
  CHECK_FALSE(kit.is_joined(second));
  kit.join(kit.request(a));
  std::string id = kit.joined[second].member_id;
  Ticket sync = kit.sync(id, 2);
  Ticket third = kit.join(kit.as("i"));
  CHECK(kit.synced[sync].error == fenced_instance_id);
  CHECK(kit.state() == "PreparingRebalance");  // the leader may have the old id already
  CHECK_FALSE(kit.is_joined(third));
}

TEST_CASE("a static member may stay away for its session, through rebalances too") {
  StaticKit kit;
  JoinRequest r = kit.as("i");
  r.session_timeout = std::chrono::minutes(5);
  kit.lone_member(r);
  JoinRequest dynamic = kit.request("", "b");
  Ticket b = kit.join(dynamic);
  kit.advance(seconds(60));
  REQUIRE(kit.is_joined(b));  // after the rebalance timeout, without the static one, whose place is kept
  CHECK(kit.joined[b].members.size() == 2);
  CHECK(kit.joined[b].leader == kit.joined[b].member_id);
}

TEST_CASE("static members that are all away keep the group waiting until their sessions end") {
  StaticKit kit;
  JoinRequest i = kit.as("i"), j = kit.as("j");
  i.session_timeout = seconds(100), j.session_timeout = seconds(200);
  i.rebalance_timeout = j.rebalance_timeout = milliseconds(0);
  kit.lone_member(i);
  kit.join(j);
  kit.advance(seconds(301));
  CHECK(kit.state() == "Empty");
}

TEST_CASE("an administrator takes out a static member by its instance alone") {
  StaticKit kit;
  std::string id = kit.lone_member(kit.as("i"));
  CHECK(kit.leave("", "j") == unknown_member_id);
  CHECK(kit.leave("wrong", "i") == fenced_instance_id);
  CHECK(kit.leave("", "i") == none);
  CHECK(kit.beat(id, 1) == unknown_member_id);
  CHECK(kit.state() == "Empty");
}

TEST_CASE("an id that could not be saved is refused, and the member may come again") {
  StaticKit kit;
  kit.lone_member(kit.as("i"));
  kit.save_error = coordinator_not_available;
  CHECK(kit.joined[kit.join(kit.as("i"))].error == coordinator_not_available);
  kit.save_error = none;
  CHECK(kit.joined[kit.join(kit.as("i"))].error == none);
  CHECK(kit.state() == "Stable");
}

TEST_CASE("a save that is late answers only those whose place it holds") {
  StaticKit kit;
  auto a = kit.lone_member(kit.as("i"));
  Ticket j = kit.join(kit.as("j"));
  Ticket again = kit.join(kit.as("i", a));
  kit.sync(kit.joined[j].member_id, 2);
  kit.sync(kit.joined[again].member_id, 2);
  REQUIRE(kit.state() == "Stable");
  kit.saves_by_itself = false;
  Ticket i2 = kit.join(kit.as("i"));
  Ticket j2 = kit.join(kit.as("j"));
  REQUIRE(kit.unsaved.size() == 1);
  Actions::Save first = kit.unsaved[0];
  kit.unsaved.clear();
  Actions actions;
  kit.groups->saved("g", first.number, none, kit.now, actions);
  kit.take(actions);
  CHECK(kit.is_joined(i2));
  CHECK_FALSE(kit.is_joined(j2));
  REQUIRE(kit.unsaved.size() == 1);
  kit.save_all();
  CHECK(kit.is_joined(j2));
}

TEST_CASE("members of a stable group go on after a restart of the coordinator and notice nothing") {
  StaticKit kit;
  auto [a, b, generation] = kit.pair();
  kit.restart();
  CHECK(kit.state() == "Stable");
  CHECK(kit.beat(a, generation) == none);
  CHECK(kit.beat(b, generation) == none);
  CHECK(kit.commit(b, generation) == none);
  CHECK(*kit.synced[kit.sync(b, generation)].assignment == "for b");
  kit.advance(seconds(9));
  CHECK(kit.beat(a, generation) == none);
  kit.advance(seconds(2));
  CHECK(kit.beat(b, generation) == unknown_member_id);  // its session began with the restart
}

TEST_CASE("a restart in the middle of a rebalance goes back to the generation before it, whose members join again") {
  StaticKit kit;
  auto [a, b, generation] = kit.pair();
  kit.join(kit.request(a));
  Ticket c = kit.join(kit.request("", "c"));
  CHECK_FALSE(kit.is_joined(c));
  kit.restart();
  CHECK(kit.beat(b, generation) == none);
  Ticket ja = kit.join(kit.request(a));
  Ticket jb = kit.join(kit.request(b, "b"));
  REQUIRE(kit.is_joined(jb));
  CHECK(kit.joined[ja].generation == generation + 1);
}

TEST_CASE("static members and empty groups outlive a restart") {
  StaticKit kit;
  std::string id = kit.lone_member(kit.as("i"));
  kit.restart();
  CHECK(kit.beat("other", 1, "i") == fenced_instance_id);
  CHECK(kit.beat(id, 1, "i") == none);
  kit.leave("", "i");
  kit.restart();
  CHECK(kit.state() == "Empty");
  CHECK(kit.joined[kit.join(kit.request())].generation == 3);
}

TEST_CASE("until all is loaded clients are asked to wait, and heartbeats are believed") {
  GroupKit kit;
  kit.groups.emplace(kit.settings, kit.random);
  CHECK(kit.joined[kit.join(kit.request())].error == coordinator_loading);
  CHECK(kit.synced[kit.sync("m", 1)].error == coordinator_loading);
  CHECK(kit.beat("m", 1) == none);
  CHECK(kit.leave("m") == coordinator_loading);
  CHECK(kit.commit("", -1) == coordinator_loading);
  CHECK(kit.groups->check_delete("g") == coordinator_loading);
}

TEST_CASE("a group without members and offsets is forgotten; with offsets, when they are old") {
  GroupKit kit;
  std::string a = kit.lone_member();
  kit.leave(a);
  kit.advance(kFirstRetentionCheck);
  REQUIRE(kit.checks == std::vector<std::string>{"g"});
  SUBCASE("nothing committed") { CHECK(kit.groups->check_retention("g", {}, kit.now).group); }
  SUBCASE("committed") {
    auto committed = {offset_at(1, kit.now.wall - std::chrono::hours(24 * 30)), offset_at(2, kit.now.wall)};
    auto expired = kit.groups->check_retention("g", committed, kit.now);
    CHECK(expired.offsets.empty());  // the old one too: it counts from when the group became empty
    kit.checks.clear();
    kit.advance(std::chrono::hours(24 * 7) - kFirstRetentionCheck - seconds(1));
    CHECK(kit.checks.empty());
    kit.advance(seconds(1));
    REQUIRE(kit.checks.size() == 1);
    expired = kit.groups->check_retention("g", committed, kit.now);
    CHECK(expired.offsets == std::vector{PartitionId(1)});
    CHECK_FALSE(expired.group);
    kit.advance(kFirstRetentionCheck);
    CHECK(kit.groups->check_retention("g", committed, kit.now).group);
  }
  SUBCASE("members came back") {
    kit.lone_member();
    CHECK_FALSE(kit.groups->check_retention("g", {}, kit.now).group);
  }
}

TEST_CASE("offsets of a group that never had members count from their commits") {
  GroupKit kit;
  CHECK(kit.commit("", -1) == none);
  CHECK(kit.state() == "Empty");
  kit.advance(kFirstRetentionCheck);
  auto committed = {offset_at(1, kit.now.wall - std::chrono::hours(24 * 7)), offset_at(2, kit.now.wall)};
  auto expired = kit.groups->check_retention("g", committed, kit.now);
  CHECK(expired.offsets == std::vector{PartitionId(1)});
  CHECK_FALSE(expired.group);
}

TEST_CASE("who may commit, and delete what") {
  GroupKit kit;
  CHECK(kit.commit("m", 3) == group_id_not_found);
  CHECK(kit.commit("m", -1) == none);  // no members: anyone
  CHECK(kit.commit("m", 3) == unknown_member_id);
  CHECK(kit.groups->check_delete("other") == group_id_not_found);
  CHECK(kit.groups->check_delete("g") == none);
  std::string a = kit.lone_member(kit.request("", std::string("\0\0\0\0\0\1\0\1t\0\0\0\0", 13)));
  CHECK(kit.groups->check_delete("g") == non_empty_group);
  CHECK(kit.groups->check_offset_delete("g") == none);
  CHECK(kit.groups->may_be_subscribed("g", "t"));
  CHECK_FALSE(kit.groups->may_be_subscribed("g", "u"));
  kit.leave(a);
  CHECK_FALSE(kit.groups->may_be_subscribed("g", "t"));
  JoinRequest connect = kit.request();
  connect.protocol_type = "connect";
  kit.lone_member(connect);
  CHECK(kit.groups->check_offset_delete("g") == non_empty_group);
}
