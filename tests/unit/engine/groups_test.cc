// What the engine keeps of consumer groups.
#include "metadata/group_records.h"
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

struct GroupsFixture : EngineFixture {
  Result<void> outcome_of(auto call) {
    Result<void> outcome = fail(Errc::kTimedOut, "not answered");
    call([&](Result<void> r) { outcome = std::move(r); });
    settle();
    return outcome;
  }
  Result<void> commit(const std::string& group, PartitionId partition, int64_t offset, std::string metadata = {}) {
    return outcome_of([&](auto done) {
      engine->commit_offsets(group, {{partition, Offset(offset), 3, metadata, WallMilliseconds(0)}}, done);
    });
  }
  Result<void> save(const std::string& group, GroupState state) {
    return outcome_of([&](auto done) { engine->save_group(group, state, done); });
  }
  std::vector<CommittedOffset> offsets(const std::string& group) {
    std::vector<CommittedOffset> all;
    engine->fetch_offsets(group, [&](Result<std::vector<CommittedOffset>> r) { all = std::move(r.value()); });
    return all;
  }
  /// -1: not committed.
  int64_t offset(const std::string& group, PartitionId partition) {
    for (const CommittedOffset& o : offsets(group))
      if (o.partition == partition) return o.offset.v;
    return -1;
  }
  std::vector<StoredGroup> groups(const std::string& after = "") {
    std::vector<StoredGroup> all;
    engine->list_groups(after, [&](Result<std::vector<StoredGroup>> r) { all = std::move(r.value()); });
    return all;
  }
  void lose_data_directory() {
    stop();
    files.crash();
    for (const auto& path : files.paths()) (void)files.remove(path);
  }
};

GroupState one_member() {
  GroupState s;
  s.protocol_type = "consumer", s.generation = 7, s.protocol = "range", s.leader = "m1";
  GroupMember m;
  m.id = "m1", m.instance_id = "i", m.client_id = "c", m.client_host = "/10.0.0.1";
  m.session_timeout_ms = 10'000, m.rebalance_timeout_ms = 60'000;
  m.subscription = std::string("\0\1\xff\"", 4), m.assignment = "x";
  s.members.push_back(m);
  return s;
}

}  // namespace

TEST_CASE("committed offsets and groups survive a power cut as soon as they are answered") {
  GroupsFixture f;
  f.start();
  PartitionId p = f.make_partition("orders", 2);
  REQUIRE(f.commit("g", p, 5));
  REQUIRE(f.commit("g", p, 42, "quote \" and \x01"));
  REQUIRE(f.commit("other", p, 1));
  REQUIRE(f.save("g", one_member()));
  f.power_cut();
  f.start();
  REQUIRE(f.offsets("g").size() == 1);
  CommittedOffset o = f.offsets("g")[0];
  CHECK(o.offset == Offset(42));
  CHECK(o.leader_epoch == 3);
  CHECK(o.metadata == "quote \" and \x01");
  CHECK(f.offset("other", p) == 1);
  auto groups = f.groups();
  REQUIRE(groups.size() == 2);
  GroupState saved = groups[0].state;
  saved.changed = WallMilliseconds(0);
  CHECK(saved == one_member());
  CHECK(groups[0].offsets == 1);
  CHECK(groups[1].state == GroupState{});
  CHECK(f.groups("g").size() == 1);
}

TEST_CASE("groups come out of the bucket alone, from its checkpoint and from objects behind it") {
  GroupsFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.commit("g", p, 1));
  REQUIRE(f.save("g", one_member()));
  bool in_checkpoint = false;
  SUBCASE("") { in_checkpoint = true; }
  SUBCASE("") { in_checkpoint = false; }
  if (in_checkpoint) {
    f.stop();
    f.start();
  }
  REQUIRE(f.commit("g", p, 2));
  f.lose_data_directory();
  if (!in_checkpoint)  // leaves the epoch's first one, which has nothing yet
    while (f.keys("checkpoints/").size() > 1) f.remove_object(f.keys("checkpoints/").back());
  f.start();
  CHECK(f.offset("g", f.partition("orders")) == 2);
  REQUIRE(f.groups().size() == 1);
  CHECK(f.groups()[0].state.members == one_member().members);
  f.power_cut();  // and from the checkpoint that the recovery wrote
  f.start();
  CHECK(f.offset("g", f.partition("orders")) == 2);
}

TEST_CASE("offsets of a deleted topic go away, and groups that have nothing left with them") {
  GroupsFixture f;
  f.start();
  PartitionId a = f.make_partition("a"), b = f.make_partition("b");
  REQUIRE(f.commit("both", a, 1));
  REQUIRE(f.commit("both", b, 2));
  REQUIRE(f.commit("only-a", a, 3));
  REQUIRE(f.save("named", one_member()));
  REQUIRE(f.commit("named", a, 4));
  REQUIRE(f.outcome_of([&](auto done) { f.engine->delete_topic(f.engine->find_topic("a")->id, OnlyEmpty::no, done); }));
  for (int i = 0; i < 2; i++) {
    CHECK(f.offsets("both").size() == 1);
    CHECK(f.offset("both", b) == 2);
    CHECK(f.groups().size() == 2);
    CHECK(f.offsets("named").empty());
    f.power_cut();
    f.start();
  }
  REQUIRE(f.commit("late", a, 5));  // of a partition that has gone: nothing to keep
  CHECK(f.groups().size() == 2);
  REQUIRE(f.commit("late", kControlPartition, 5));
  CHECK(f.groups().size() == 2);
}

TEST_CASE("offsets and groups are deleted for good") {
  GroupsFixture f;
  f.start();
  PartitionId p = f.make_partition("orders", 2);
  PartitionId q = f.partition("orders", 1);
  REQUIRE(f.commit("g", p, 1));
  REQUIRE(f.commit("g", q, 2));
  REQUIRE(f.commit("h", p, 3));
  REQUIRE(f.outcome_of([&](auto done) { f.engine->delete_offsets("g", {p, PartitionId(99)}, done); }));
  REQUIRE(f.outcome_of([&](auto done) { f.engine->delete_group("h", done); }));
  auto again = f.outcome_of([&](auto done) { f.engine->delete_group("h", done); });
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::kNotFound);
  f.power_cut();
  f.start();
  CHECK(f.offset("g", p) == -1);
  CHECK(f.offset("g", q) == 2);
  CHECK(f.groups().size() == 1);
}

TEST_CASE("commits that arrive together share records and syncs, and each is answered") {
  GroupsFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  uint64_t before = f.device->writes();
  int answered = 0;
  for (int i = 0; i < 500; i++)
    f.engine->commit_offsets("g" + std::to_string(i), {{p, Offset(i), -1, "", WallMilliseconds(0)}},
                             [&](Result<void> r) { answered += r ? 1 : 0; });
  f.executor->run_until_idle();
  CHECK(answered == 500);
  CHECK(f.device->writes() <= before + 3);
  f.power_cut();
  f.start();
  CHECK(f.offset("g499", p) == 499);
}

TEST_CASE("a commit or a group that no record can hold is refused, and so is one beyond the limits") {
  GroupsFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  auto refused = f.commit("g", p, 1, std::string(2 << 20, 'x'));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  GroupState large = one_member();
  large.members[0].assignment.assign(2 << 20, 'x');
  refused = f.save("g", large);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(f.groups().empty());
}

TEST_CASE("a commit whose sync fails is not answered as done and not remembered") {
  GroupsFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.commit("g", p, 1));
  f.files.fail_writes("wal/", {Errc::kIo, EIO, "the disk"}, 1);
  CHECK_FALSE(f.commit("g", p, 2));
  CHECK(f.offset("g", p) == 1);
}

TEST_CASE("a damaged record of a group is refused") {
  for (const char* json : {R"({"type":"group-saved","group":"g"})", R"({"type":"offsets-committed","commits":[{"group":"g"}]})",
                           R"({"type":"offsets-deleted","group":"g","partitions":[-1]})", R"({"type":"group-deleted"})"}) {
    auto record = decode_group_record(json);
    REQUIRE_FALSE(record);
    CHECK(record.error().code == Errc::kCorrupt);
  }
  CHECK_FALSE(decode_group_record(R"({"type":"topic-deleted"})")->has_value());
}
