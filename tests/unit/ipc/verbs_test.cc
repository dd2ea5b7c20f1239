// Every verb of the engine, through the socket.
#include "ipc/door.h"

namespace topicfs::ipc {
namespace {

TEST_CASE("the catalog is changed through the client and mirrored in it") {
  Door door;
  door.connect();
  auto topic = door.create("orders", 2);
  CHECK(topic->name == "orders");
  CHECK(topic->ownership == Ownership{1, 2, 0750});
  CHECK(topic->partitions[1].ownership == Ownership{3, 4, 0640});
  CHECK(door.client->find_topic("orders") == topic);
  CHECK(door.client->find_topic(topic->id) == topic);
  CHECK(door.client->find_topic(topic->number) == topic);
  CHECK(door.client->find_partition(topic->partitions[1].id)->index == 1);
  CHECK(door.client->list_topics().size() == 1);
  CHECK(door.client->store_id() == door.engine.store_id());

  auto more = await<TopicPtr>([&](auto d) { door.client->add_partitions(topic->id, 4, {}, std::move(d)); });
  CHECK((*more)->partitions.size() == 4);
  auto set = await<TopicPtr>(
      [&](auto d) { door.client->change_settings(topic->id, {{"retention.ms", "5"}}, std::move(d)); });
  CHECK((*set)->settings.at("retention.ms") == "5");
  auto reset = await<TopicPtr>(
      [&](auto d) { door.client->change_settings(topic->id, {{"retention.ms", std::nullopt}}, std::move(d)); });
  CHECK((*reset)->settings.empty());
  auto owned = await<TopicPtr>(
      [&](auto d) { door.client->change_ownership(topic->id, {{}, {}, 0700}, std::move(d)); });
  CHECK((*owned)->ownership.mode == 0700);
  owned = await<TopicPtr>(
      [&](auto d) { door.client->change_ownership(topic->partitions[0].id, {7, {}, {}}, std::move(d)); });
  CHECK((*owned)->partitions[0].ownership.uid == 7);

  REQUIRE(await<void>([&](auto d) { door.client->delete_topic(topic->id, OnlyEmpty::yes, std::move(d)); }));
  CHECK(!door.client->find_topic("orders"));
  CHECK(!door.client->find_partition(topic->partitions[0].id));
  CHECK(door.client->ends(topic->partitions[0].id).error().code == Errc::kNotFound);
}

TEST_CASE("the largest topic is answered and mirrored, however fast the gateway takes it") {
  Door door;
  door.connect();
  for (int n = 0; n < 10; n++) {
    auto topic = door.create("large-" + std::to_string(n), kMaxPartitionsPerTopic / 2);
    CHECK(topic->partitions.size() == kMaxPartitionsPerTopic / 2);
    CHECK(door.client->find_topic(topic->id) == topic);
    REQUIRE(await<void>([&](auto d) { door.client->delete_topic(topic->id, OnlyEmpty::yes, std::move(d)); }));
  }
  CHECK(door.create("largest", kMaxPartitionsPerTopic)->partitions.size() == kMaxPartitionsPerTopic);
}

TEST_CASE("errors come back as they are") {
  Door door;
  door.connect();
  auto bad = await<TopicPtr>([&](auto d) { door.client->create_topic({"a/b", 1, {}, {}, {}}, std::move(d)); });
  CHECK(bad.error().code == Errc::kInvalidArgument);
  auto topic = door.create("t");
  auto id = topic->partitions[0].id;
  CHECK(door.append(PartitionId(99), "x\n").error().code == Errc::kNotFound);
  CHECK(door.fetch(id, 5).error().code == Errc::kOutOfRange);
  door.engine.fail_next_append({Errc::kNoSpace, ENOSPC, "the disk is full"});
  auto full = door.append(id, "x\n");
  CHECK(full.error().code == Errc::kNoSpace);
  CHECK(full.error().sys_errno == ENOSPC);
  CHECK(full.error().what == "the disk is full");
  for (Errc code : {Errc::kOutOfOrder, Errc::kStaleEpoch}) {
    door.engine.fail_next_append({code, 0, "producer 7"});
    CHECK(door.append(id, "x\n").error().code == code);
  }
  std::map<std::string, std::optional<std::string>> huge{{"retention.ms", std::string(2 << 20, 'x')}};
  auto large = await<TopicPtr>([&](auto d) { door.client->change_settings(topic->id, huge, std::move(d)); });
  CHECK(large.error().code == Errc::kTooLarge);
  CHECK(door.append(id, "still there\n"));
}

TEST_CASE("what is appended is read, as text and as batches, and the ends are seen without a message") {
  Door door;
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  ByteSpan pieces[] = {as_byte_span("a\nb"), as_byte_span("c\nrest")};
  auto appended = await<Appended>(
      [&](auto d) { door.client->append_text(id, pieces, LastLine::unfinished, {}, std::move(d)); });
  CHECK(appended->text_end == TextPosition(9));
  std::string_view values[] = {"one", "two"};
  auto batch = testing::build_batch(values, WallMilliseconds(77));
  appended = await<Appended>([&](auto d) { door.client->append_batch(id, batch, {}, std::move(d)); });
  CHECK(appended->base_offset == Offset(3));
  CHECK(all_of(door.read(id)->text) == "a\nbc\nrestone\ntwo\n");
  CHECK(all_of(door.read(id, 5, 4)->text) == "rest");
  auto fetched = door.fetch(id, 3);
  CHECK(fetched->batches.size == batch.size());
  CHECK(testing::base_offset_of(fetched->batches.pieces[0]) == Offset(3));
  CHECK(fetched->ends.durable_end == Offset(5));
  auto epochs = await<std::vector<EpochStart>>([&](auto d) { door.client->leader_epochs(id, std::move(d)); });
  CHECK(*epochs == std::vector<EpochStart>{{0, Offset(0)}});
  CHECK(door.client->leader_epoch() == door.engine.leader_epoch());
  auto found = await<TimestampedOffset>([&](auto d) { door.client->find_timestamp(id, -3, std::move(d)); });
  CHECK(found->leader_epoch == 0);
  CHECK(found->offset == Offset(0));
  CHECK(await<void>([&](auto d) { door.client->sync(id, std::move(d)); }));
  auto first = await<int64_t>([&](auto d) { door.client->allocate_producer_ids(10, std::move(d)); });
  auto next = await<int64_t>([&](auto d) { door.client->allocate_producer_ids(1, std::move(d)); });
  CHECK(*next == *first + 10);
  auto status = await<std::string>([&](auto d) { door.client->status(std::move(d)); });
  CHECK(status->find("memory") != std::string::npos);
  CHECK(await<void>([&](auto d) { door.client->set_modified(id, WallMilliseconds(123), std::move(d)); }));
  auto ends = door.client->ends(id);
  CHECK(ends->modified == WallMilliseconds(123));
  CHECK(ends->durable_end == Offset(5));
  CHECK(ends->text_end == TextPosition(17));
  CHECK(ends->retained_bytes == door.engine.ends(id)->retained_bytes);
  auto start = await<Offset>([&](auto d) { door.client->delete_records(id, Offset(4), std::move(d)); });
  CHECK(start.value() == Offset(4));
  auto beyond = await<Offset>([&](auto d) { door.client->delete_records(id, Offset(6), std::move(d)); });
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().code == Errc::kOutOfRange);
}

TEST_CASE("consumer groups are kept, listed and deleted through the client") {
  Door door;
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  auto& client = *door.client;
  CommittedOffset offset{id, Offset(7), 2, "mine", WallMilliseconds(0)};
  REQUIRE(await<void>([&](auto d) { client.commit_offsets("g", {offset}, std::move(d)); }));
  auto back = await<std::vector<CommittedOffset>>([&](auto d) { client.fetch_offsets("g", std::move(d)); });
  REQUIRE(back->size() == 1);
  CHECK((*back)[0].committed.count() > 0);
  (*back)[0].committed = WallMilliseconds(0);
  CHECK((*back)[0] == offset);
  GroupState state{"consumer", 3, "range", "m", {{"m", "i", "c", "/h", 1, 2, std::string("\0x", 2), "a"}}, WallMilliseconds(0)};
  REQUIRE(await<void>([&](auto d) { client.save_group("g", state, std::move(d)); }));
  for (const char* name : {"h", "i", "j", "k"})
    REQUIRE(await<void>([&](auto d) { client.commit_offsets(name, {offset}, std::move(d)); }));
  auto list = [&](std::string after) {
    return *await<std::vector<StoredGroup>>([&](auto d) { client.list_groups(after, std::move(d)); });
  };
  REQUIRE(list("").size() == 3);
  CHECK(list("")[0].state.members == state.members);
  CHECK(list("")[0].offsets == 1);
  CHECK(list("i").size() == 2);
  CHECK(list("k").empty());
  REQUIRE(await<void>([&](auto d) { client.delete_offsets("h", {id}, std::move(d)); }));
  REQUIRE(await<void>([&](auto d) { client.delete_group("g", std::move(d)); }));
  CHECK(await<void>([&](auto d) { client.delete_group("g", std::move(d)); }).error().code == Errc::kNotFound);
  CHECK(list("")[0].name == "i");
}

TEST_CASE("listeners of the client hear what listeners of the engine hear") {
  struct Ears final : EngineListener {
    std::atomic<int> durable = 0, visible = 0, changed = 0, deleted = 0;
    void on_durable(std::span<const PartitionId> ids) override { durable += static_cast<int>(ids.size()); }
    void on_visible(PartitionId) override { ++visible; }
    void on_topic_changed(const TopicPtr&) override { ++changed; }
    void on_topic_deleted(const TopicPtr&) override { ++deleted; }
  } ears;
  Door door;
  door.connect();
  door.client->add_listener(&ears);
  auto topic = door.create("t");
  CHECK(ears.changed >= 1);
  REQUIRE(door.append(topic->partitions[0].id, "x\n"));
  CHECK(eventually([&] { return ears.durable == 1 && ears.visible == 1; }));
  CHECK(door.client->ends(topic->partitions[0].id)->durable_end == Offset(1));
  REQUIRE(await<void>([&](auto d) { door.client->delete_topic(topic->id, OnlyEmpty::no, std::move(d)); }));
  CHECK(ears.deleted == 1);
  door.client->remove_listener(&ears);
  door.create("u");
  CHECK(ears.deleted == 1);
}

TEST_CASE("topics that were there before the client are there when it is connected") {
  Door door;
  for (int i = 0; i < 200; ++i)
    door.engine.create_topic({"t" + std::to_string(i), 50, {}, {}, {}}, [](Result<TopicPtr>) {});
  door.connect();
  auto there = door.engine.list_topics(), here = door.client->list_topics();
  REQUIRE(here.size() == there.size());
  for (size_t i = 0; i < here.size(); ++i) {
    REQUIRE(here[i]->name == there[i]->name);
    REQUIRE(here[i]->partitions.back().id == there[i]->partitions.back().id);
  }
  CHECK(door.client->ends(here[7]->partitions[49].id));
}

TEST_CASE("an append that waits for room is cancelled, refused or let in") {
  Door door;
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  door.engine.set_full(true);
  CHECK(door.append(id, "x\n", {Ack::durable, Wait::no}).error().code == Errc::kWouldBlock);
  auto cancelled = await<Appended>([&](auto d) {
    ByteSpan piece = as_byte_span("x\n");
    auto request = door.client->append_text(id, {&piece, 1}, LastLine::complete, {}, std::move(d));
    CHECK(eventually([&] { return door.engine.waiting_appends() == 1; }));
    door.client->cancel(request);
  });
  CHECK(cancelled.error().code == Errc::kCancelled);
  auto written = await<Appended>([&](auto d) {
    ByteSpan piece = as_byte_span("x\n");
    door.client->append_text(id, {&piece, 1}, LastLine::complete, {}, std::move(d));
    CHECK(eventually([&] { return door.engine.waiting_appends() == 1; }));
    door.engine.set_full(false);
  });
  CHECK(written->base_offset == Offset(0));
}

TEST_CASE("many threads append at once and every record arrives once") {
  Door door;
  door.connect();
  auto topic = door.create("t", 4);
  constexpr int kThreads = 4, kEach = 500;
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ByteSpan piece = as_byte_span("0123456789\n");
        door.client->append_text(topic->partitions[static_cast<size_t>(t)].id, {&piece, 1}, LastLine::complete, {},
                                 [&](Result<Appended> r) { answered += r.has_value(); });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(eventually([&] { return answered == kThreads * kEach; }));
  for (auto& partition : topic->partitions) {
    CHECK(door.client->ends(partition.id)->durable_end == Offset(kEach));
    CHECK(door.read(partition.id)->text.size == kEach * 11);
  }
}

}  // namespace
}  // namespace topicfs::ipc
