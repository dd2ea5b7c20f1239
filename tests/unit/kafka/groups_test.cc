// The requests of groups, over an engine in memory.
#include <doctest/doctest.h>

#include "kafka/handlers/error_map.h"
#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;
using namespace std::string_literals;

namespace {

GatewaySettings without_delay() {
  GatewaySettings settings;
  settings.groups.initial_rebalance_delay = std::chrono::milliseconds(0);
  return settings;
}

const std::string kSubscribedToT = "\0\0\0\0\0\1\0\1t\0\0\0\0"s;

struct GroupsKit : HandlerKit {
  GroupsKit() : HandlerKit(without_delay()) { make_topic("t", 2); }

  static JoinGroupRequest join_of(std::string member = "") {
    JoinGroupRequest r;
    r.group_id = "g", r.member_id = std::move(member);
    r.session_timeout_ms = 10'000, r.rebalance_timeout_ms = 60'000;
    r.protocol_type = "consumer";
    r.protocols.push_back({"range", as_byte_span(kSubscribedToT)});
    return r;
  }
  auto start_join(JoinGroupRequest r, int16_t version) { return start<JoinGroupResponse>(std::move(r), version); }
  JoinGroupResponse join(JoinGroupRequest r, int16_t version) { return answer<JoinGroupResponse>(std::move(r), version); }
  static SyncGroupRequest sync_of(std::string member, int32_t generation, std::string_view share = "") {
    SyncGroupRequest r;
    r.group_id = "g", r.member_id = member, r.generation_id = generation;
    r.protocol_type = "consumer", r.protocol_name = "range";
    if (!share.empty()) r.assignments.push_back({member, as_byte_span(share)});
    return r;
  }
  SyncGroupResponse sync(SyncGroupRequest r, int16_t version = 5) { return answer<SyncGroupResponse>(std::move(r), version); }
  int16_t beat(std::string member, int32_t generation) {
    HeartbeatRequest r;
    r.group_id = "g", r.member_id = std::move(member), r.generation_id = generation;
    return answer<HeartbeatResponse>(r, 4).error_code;
  }
  LeaveGroupResponse leave(std::string member, int16_t version) {
    LeaveGroupRequest r;
    r.group_id = "g";
    if (version < 3) r.member_id = std::move(member);
    else r.members.push_back({std::move(member), std::nullopt, "the test is over"});
    return answer<LeaveGroupResponse>(r, version);
  }
  int16_t commit(std::string member, int32_t generation, int16_t version, int64_t offset = 5) {
    OffsetCommitRequest r;
    r.group_id = "g", r.member_id = std::move(member), r.generation_id = generation;
    r.topics.push_back({"t", {{0, offset, -1, ""}}});
    return answer<OffsetCommitResponse>(r, version).topics.at(0).partitions.at(0).error_code;
  }
  int64_t committed() {
    OffsetFetchRequest r;
    r.group_id = "g";
    r.topics->push_back({"t", {0}});
    return answer<OffsetFetchResponse>(r, 5).topics.at(0).partitions.at(0).committed_offset;
  }
  DescribeGroupsResponse::Group describe(std::string group = "g", int16_t version = 6, bool operations = false) {
    return answer<DescribeGroupsResponse>(DescribeGroupsRequest{{std::move(group)}, operations}, version).groups.at(0);
  }
  int16_t remove(std::string group) {
    return answer<DeleteGroupsResponse>(DeleteGroupsRequest{{std::move(group)}}, 2).results.at(0).error_code;
  }
  /// Of a stable group of one: joined as version 0, so that it is not told its id first.
  std::string lone_member() {
    auto joined = join(join_of(), 0);
    REQUIRE(joined.error_code == 0);
    REQUIRE(sync(sync_of(joined.member_id, joined.generation_id, "share")).error_code == 0);
    return joined.member_id;
  }
};

std::string text_of(const Bytes& bytes) {
  std::string text;
  for (ByteSpan piece : bytes.pieces) text += as_text(piece);
  return text;
}

}  // namespace

TEST_CASE("a consumer joins, is told its id, joins again, gets its share, commits and leaves, in every version of each request") {
  for (int16_t version = 0; version <= 9; version++) {
    CAPTURE(version);
    auto at_most = [&](int16_t last) { return std::min(version, last); };
    GroupsKit kit;
    auto joined = kit.join(kit.join_of(), version);
    if (version >= 4) {
      CHECK(joined.error_code == 79);
      joined = kit.join(kit.join_of(joined.member_id), version);
    }
    REQUIRE(joined.error_code == 0);
    CHECK(joined.generation_id == 1);
    CHECK(joined.leader == joined.member_id);
    CHECK(joined.members.size() == 1);
    CHECK(text_of(joined.members[0].metadata) == kSubscribedToT);
    auto synced = kit.sync(kit.sync_of(joined.member_id, 1, "share"), at_most(5));
    CHECK(synced.error_code == 0);
    CHECK(text_of(synced.assignment) == "share");
    CHECK(kit.beat(joined.member_id, 1) == 0);
    CHECK(kit.commit(joined.member_id, 1, std::max<int16_t>(version, 2)) == 0);
    CHECK(kit.committed() == 5);
    CHECK(kit.leave(joined.member_id, at_most(5)).error_code == 0);
    CHECK(kit.describe().state == "Empty");
  }
}

TEST_CASE("joins and syncs are parked without a thread, and a connection that ends lets go of them") {
  GroupsKit kit;
  std::string a = kit.lone_member();
  auto b = kit.start_join(kit.join_of(), 3);
  kit.executor.run_until_idle();
  CHECK_FALSE(b->is_finished);
  CHECK(kit.beat(a, 1) == 27);
  SUBCASE("answered when the others have joined") {
    auto again = kit.start_join(kit.join_of(a), 3);
    kit.executor.run_until_idle();
    CHECK(b->is_finished);
    CHECK(b->response.generation_id == 2);
    CHECK(again->response.members.size() == 2);
  }
  SUBCASE("answered when the time is over") {
    for (int i = 0; i < 12; i++) {
      kit.executor.advance(std::chrono::seconds(5));
      if (i < 11) REQUIRE(kit.beat(a, 1) == 27);
    }
    CHECK(b->is_finished);
    CHECK(b->response.leader == b->response.member_id);
  }
  SUBCASE("let go when nobody listens") {
    b->on_abandoned();
    kit.executor.run_until_idle();
    CHECK(b->is_finished);  // as the connection sees it: its handler holds it no more
    CHECK(b->response.generation_id == -1);
  }
}

TEST_CASE("a commit has to be of a member and its generation, and each version says so in its way") {
  GroupsKit kit;
  CHECK(kit.commit("m", 3, 8) == 22);
  CHECK(kit.commit("m", 3, 9) == 69);
  std::string a = kit.lone_member();
  CHECK(kit.commit(a, 1, 8) == 0);
  CHECK(kit.commit(a, 0, 8) == 22);
  CHECK(kit.commit("m", 1, 8) == 25);
  CHECK(kit.commit("", -1, 8) == 25);
  CHECK(kit.commit(a, -1, 8) == 22);
  kit.leave(a, 5);
  CHECK(kit.commit("", -1, 8, 6) == 0);
  CHECK(kit.committed() == 6);
}

TEST_CASE("LeaveGroup answers for the group up to version 2, for each member since") {
  GroupsKit kit;
  kit.lone_member();
  CHECK(kit.leave("nobody", 2).error_code == 25);
  auto one = kit.leave("nobody", 3);
  CHECK(one.error_code == 0);
  CHECK(one.members.at(0).error_code == 25);
}

TEST_CASE("SyncGroup of version 5 names the protocol, and it has to be the group's") {
  GroupsKit kit;
  std::string a = kit.lone_member();
  auto r = kit.sync_of(a, 1);
  CHECK(kit.sync(r).error_code == 0);
  r.protocol_name = "sticky";
  CHECK(kit.sync(r).error_code == 23);
  r.protocol_name.reset();
  CHECK(kit.sync(r).error_code == 23);
  CHECK(kit.sync(r, 4).error_code == 0);
}

TEST_CASE("groups are described and listed with their states") {
  GroupsKit kit;
  std::string a = kit.lone_member();
  auto g = kit.describe("g", 6, true);
  CHECK(g.state == "Stable");
  CHECK(g.protocol_type == "consumer");
  CHECK(g.protocol_data == "range");
  CHECK(g.authorized_operations == kAllGroupOperations);
  REQUIRE(g.members.size() == 1);
  CHECK(g.members[0].member_id == a);
  CHECK(g.members[0].client_host == "/10.0.0.9");
  CHECK(text_of(g.members[0].assignment) == "share");
  CHECK(text_of(g.members[0].metadata) == kSubscribedToT);
  CHECK(kit.describe("nosuch", 5).state == "Dead");
  CHECK(kit.describe("nosuch", 5).error_code == 0);
  CHECK(kit.describe("nosuch", 6).error_code == 69);
  auto list = [&](std::vector<std::string> states, std::vector<std::string> types) {
    return kit.answer<ListGroupsResponse>(ListGroupsRequest{std::move(states), std::move(types)}, 5).groups;
  };
  REQUIRE(list({}, {}).size() == 1);
  CHECK(list({}, {})[0].state == "Stable");
  CHECK(list({"stable", "Empty"}, {"CLASSIC"}).size() == 1);
  CHECK(list({"Empty"}, {}).empty());
  CHECK(list({}, {"consumer"}).empty());
}

TEST_CASE("a group is deleted when it has no members, with its offsets; what comes meanwhile waits") {
  GroupsKit kit;
  std::string a = kit.lone_member();
  kit.commit(a, 1, 8);
  CHECK(kit.remove("g") == 68);
  CHECK(kit.remove("nosuch") == 69);
  kit.leave(a, 5);
  auto deleting = kit.start<DeleteGroupsResponse>(DeleteGroupsRequest{{"g", "g"}}, 2);
  auto joining = kit.start_join(kit.join_of(), 3);
  kit.executor.run_until_idle();
  REQUIRE(deleting->response.results.size() == 1);
  CHECK(deleting->response.results[0].error_code == 0);
  CHECK(joining->response.generation_id == 1);  // a new group
  CHECK(kit.committed() == -1);
}

TEST_CASE("a group that cannot be deleted is still there") {
  GroupsKit kit;
  kit.commit("", -1, 8);
  kit.engine.poison();
  CHECK(kit.remove("g") == 16);
  CHECK(kit.describe().state == "Empty");
  CHECK(kit.committed() == 5);
}

TEST_CASE("offsets of topics that are subscribed to are not deleted, others are") {
  GroupsKit kit;
  kit.make_topic("u");
  auto remove = [&](std::string group, std::string topic, int32_t partition) {
    OffsetDeleteRequest r;
    r.group_id = std::move(group);
    r.topics.push_back({std::move(topic), {{partition}}});
    auto response = kit.answer<OffsetDeleteResponse>(r, 0);
    return response.error_code != 0 ? response.error_code : response.topics.at(0).partitions.at(0).error_code;
  };
  CHECK(remove("g", "t", 0) == 69);
  CHECK(remove("", "t", 0) == 24);
  std::string a = kit.lone_member();
  kit.commit(a, 1, 8);
  CHECK(remove("g", "t", 0) == 86);
  CHECK(remove("g", "u", 0) == 0);
  CHECK(remove("g", "u", 1) == 3);
  CHECK(kit.committed() == 5);
  kit.leave(a, 5);
  CHECK(remove("g", "t", 0) == 0);
  CHECK(kit.committed() == -1);
}

TEST_CASE("a gateway that takes over finds groups as they were, and asks clients to wait until it does") {
  GroupsKit kit;
  std::string a = kit.lone_member();
  kit.commit(a, 1, 8);
  for (std::string group : {"h", "i", "j", "k"}) {
    OffsetCommitRequest r;
    r.group_id = group;
    r.topics.push_back({"t", {{0, 1, -1, ""}}});
    kit.answer<OffsetCommitResponse>(r, 8);
  }
  GroupSettings settings;
  auto next = std::make_shared<GroupService>(kit.engine, settings, kit.executor, kit.random,
                                             std::shared_ptr<Executor>(std::shared_ptr<void>(), &kit.executor));
  std::vector<GroupError> beats;
  auto beat = [&](std::string member) {
    next->run([&beats, member](GroupCoordinator& groups, Now now, Actions&) {
      beats.push_back(groups.is_loaded() ? groups.heartbeat("g", {member, {}}, 1, now) : GroupError::coordinator_loading);
    });
    kit.executor.run_until_idle();
  };
  beat(a);
  bool is_ready = false;
  next->load([&] { is_ready = true; });
  kit.executor.run_until_idle();
  CHECK(is_ready);
  beat(a);
  beat("nobody");
  CHECK(beats == std::vector{GroupError::coordinator_loading, GroupError::none, GroupError::unknown_member_id});
  size_t count = 0;
  next->run([&](GroupCoordinator& groups, Now, Actions&) { count = groups.size(); });
  kit.executor.run_until_idle();
  CHECK(count == 5);
}

TEST_CASE("offsets of a group without members are deleted when they have been kept for long enough, and the group with them") {
  GroupsKit kit;
  std::string a = kit.lone_member();
  kit.commit(a, 1, 8);
  kit.leave(a, 5);
  kit.executor.advance(std::chrono::hours(24 * 7) - std::chrono::seconds(1));
  CHECK(kit.committed() == 5);
  CHECK(kit.describe().state == "Empty");
  kit.executor.advance(std::chrono::hours(1));
  CHECK(kit.committed() == -1);
  CHECK(kit.describe().error_code == 69);
  CHECK_FALSE(kit.executor.next_due());  // nothing is left to wait for
}

TEST_CASE("a group that is full of members, or cannot be saved, is an error that clients understand") {
  GroupsKit kit;
  auto joined = kit.join(kit.join_of(), 0);
  kit.engine.poison();
  CHECK(kit.sync(kit.sync_of(joined.member_id, 1, "share")).error_code == 16);
  CHECK(error_code_of(GroupError::group_max_size_reached) == ErrorCode::kGroupMaxSizeReached);
  CHECK(group_error_of(Error{Errc::kFull, 0, ""}) == GroupError::coordinator_not_available);
  CHECK(group_error_of(Error{Errc::kTooLarge, 0, ""}) == GroupError::unknown_server_error);
}
