// Idempotent producers, in a whole engine: appended once whatever is lost, repeated or restarted.
#include "support/batches.h"
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

struct ProducerFixture : EngineFixture {
  struct Answer {
    std::optional<Result<Appended>> outcome;
    int64_t offset() const { return outcome && *outcome ? (*outcome)->base_offset.v : -1; }
    Errc code() const {
      REQUIRE(outcome);
      REQUIRE_FALSE(*outcome);
      return outcome->error().code;
    }
  };
  using AnswerPtr = std::shared_ptr<Answer>;

  static std::string batch(int32_t sequence, int records, int64_t id, int16_t epoch, size_t value_size) {
    BatchHeader h;
    h.producer_id = id, h.producer_epoch = epoch, h.base_sequence = sequence;
    h.base_timestamp = 5000 + sequence;
    std::vector<TestRecord> all;
    for (int i = 0; i < records; i++)
      all.push_back({std::to_string(sequence + i) + std::string(value_size, 'x')});
    return encode_batch(h, all);
  }
  /// Sends and does not wait.
  AnswerPtr send(PartitionId p, int32_t sequence, int records = 1, int64_t id = 7, int16_t epoch = 0,
                 size_t value_size = 0, AppendOptions how = {}) {
    auto answer = std::make_shared<Answer>();
    std::string bytes = batch(sequence, records, id, epoch, value_size);
    engine->append_batch(p, as_byte_span(bytes), how,
                         [answer](Result<Appended> r) { answer->outcome = std::move(r); });
    return answer;
  }
  Answer produce(PartitionId p, int32_t sequence, int records = 1, int64_t id = 7, int16_t epoch = 0) {
    auto answer = send(p, sequence, records, id, epoch);
    executor->run_until_idle();
    return *answer;
  }
  int64_t end(PartitionId p) { return engine->ends(p)->visible_end.v; }
  void lose_data_directory() {
    files.crash();
    for (const auto& path : files.paths()) (void)files.remove(path);
  }
  void unreachable_store() {
    store->set_faults([](const MemoryObjectStore::Request&) {
      return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
    });
  }
  bool status_has(const std::string& what) { return status().find(what) != std::string::npos; }
};

}  // namespace

TEST_CASE("a batch that comes again is answered with its offset and timestamp, and not appended again") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  CHECK(f.produce(p, 0, 3).offset() == 0);
  CHECK(f.produce(p, 3, 2).offset() == 3);
  auto again = f.produce(p, 0, 3);
  CHECK(again.offset() == 0);
  CHECK((*again.outcome)->log_append_time == WallMilliseconds(5000));
  CHECK(f.end(p) == 5);
  CHECK(f.produce(p, 6).code() == Errc::kOutOfOrder);
  CHECK(f.produce(p, 5, 1, 7, 1).code() == Errc::kOutOfOrder);
  CHECK(f.produce(p, 0, 1, 7, 1).offset() == 5);
  CHECK(f.produce(p, 5).code() == Errc::kStaleEpoch);
  CHECK(f.status_has("\"repeated_batches\": 1,"));
  CHECK(f.status_has("\"refused_batches\": 3,"));
  CHECK(f.status_has("\"known\": 1,"));
}

TEST_CASE("a duplicate of a batch that is not durable yet waits for that batch's sync, and for no later one") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  REQUIRE(f.produce(p, 0).offset() == 0);
  auto first = f.send(p, 1);  // its commit is on its way to the disk
  auto second = f.send(p, 2);  // fills the next one
  auto repeated = f.send(p, 1);
  CHECK_FALSE(first->outcome);
  CHECK_FALSE(repeated->outcome);
  uint64_t writes = f.device->writes();
  while (f.device->writes() == writes) REQUIRE(f.executor->step());
  while (!first->outcome) REQUIRE(f.executor->step());
  CHECK(repeated->offset() == 1);
  CHECK_FALSE(second->outcome);
  f.settle();
  CHECK(second->offset() == 2);
  CHECK(f.end(p) == 3);
}

TEST_CASE("when a sync fails, the batch, its duplicate and every later one fail, and a restart remembers none of them") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  REQUIRE(f.produce(p, 0).offset() == 0);
  f.files.fail_writes("segment", Error{Errc::kIo, 5, "write"}, 1);
  auto lost = f.send(p, 1), repeated = f.send(p, 1);
  f.executor->run_until_idle();
  CHECK(lost->code() == Errc::kReadOnly);
  CHECK(repeated->code() == Errc::kReadOnly);
  CHECK(f.produce(p, 1).code() == Errc::kReadOnly);
  CHECK(f.produce(p, 0).code() == Errc::kReadOnly);  // durable, but nothing is acknowledged any more
  CHECK(f.produce(p, 5).code() == Errc::kReadOnly);  // whatever else is wrong with it
  CHECK(f.produce(p, 5, 1, 7, 1).code() == Errc::kReadOnly);
  f.power_cut();
  f.start();
  p = f.partition("t");
  CHECK(f.end(p) == 1);
  CHECK(f.produce(p, 2).code() == Errc::kOutOfOrder);
  CHECK(f.produce(p, 1).offset() == 1);
  CHECK(f.produce(p, 0).offset() == 0);
  CHECK(f.end(p) == 2);
}

TEST_CASE("producers are known again after a power cut, from the log and from checkpoints") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  for (int32_t i = 0; i < 8; i++) REQUIRE(f.produce(p, i).offset() == i);
  bool checkpointed = false;
  SUBCASE("from the log") { checkpointed = false; }
  SUBCASE("from a checkpoint, and the log behind it") { checkpointed = true; }
  if (checkpointed) {
    f.stop();
    f.start();
    p = f.partition("t");
    CHECK(f.status_has("\"known\": 1,"));
  }
  REQUIRE(f.produce(p, 8).offset() == 8);
  for (int round = 0; round < 2; round++) {
    f.power_cut();
    f.start();
    p = f.partition("t");
    CHECK(f.produce(p, 8).offset() == 8);
    CHECK(f.produce(p, 4).offset() == 4);
    CHECK(f.produce(p, 3).code() == Errc::kOutOfOrder);
    CHECK(f.produce(p, 10).code() == Errc::kOutOfOrder);
    CHECK(f.end(p) == 9);
  }
  CHECK(f.produce(p, 9).offset() == 9);
}

TEST_CASE("what was sent but never synced is not remembered after a power cut") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  REQUIRE(f.produce(p, 0).offset() == 0);
  CHECK(f.send(p, 1, 1, 7, 0, 0, {Ack::buffered, Wait::yes})->offset() == 1);
  CHECK(f.send(p, 1, 1, 7, 0, 0, {Ack::buffered, Wait::yes})->offset() == 1);  // a duplicate while it runs
  f.power_cut();
  f.start();
  p = f.partition("t");
  CHECK(f.produce(p, 1).offset() == 1);
  CHECK(f.end(p) == 2);
}

TEST_CASE("producers come back out of the bucket alone, as of the last object and not a batch later") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t", 3), q = f.partition("t", 2);
  for (int32_t i = 0; i < 7; i++) REQUIRE(f.produce(p, i).offset() == i);
  REQUIRE(f.produce(q, 100, 4, 9, 3).offset() == 0);
  bool from_checkpoint = false;
  SUBCASE("from a checkpoint") { from_checkpoint = true; }
  SUBCASE("from objects behind the checkpoint") { from_checkpoint = false; }
  f.executor->advance(std::chrono::seconds(61));  // offloaded
  REQUIRE_FALSE(f.keys("objects/").empty());
  if (from_checkpoint) {
    f.stop();
    f.start();
    p = f.partition("t"), q = f.partition("t", 2);
  }
  f.unreachable_store();
  REQUIRE(f.produce(p, 7).offset() == 7);  // stays in the log, and is lost with it
  f.kill();
  f.lose_data_directory();
  f.start();
  p = f.partition("t"), q = f.partition("t", 2);
  CHECK(f.end(p) == 7);
  for (int round = 0; round < 2; round++) {
    CHECK(f.produce(p, 6).offset() == 6);
    CHECK(f.produce(p, 2).offset() == 2);
    CHECK(f.produce(p, 8).code() == Errc::kOutOfOrder);
    CHECK(f.produce(q, 100, 4, 9, 3).offset() == 0);
    CHECK(f.produce(q, 104, 1, 9, 2).code() == Errc::kStaleEpoch);
    f.power_cut();  // and out of the checkpoint that the recovery wrote
    f.start();
    p = f.partition("t"), q = f.partition("t", 2);
  }
  CHECK(f.produce(p, 7).offset() == 7);
  CHECK(f.produce(q, 104, 1, 9, 3).offset() == 4);
}

TEST_CASE("a checkpoint knows producers as of what was offloaded, also when they have appended much since") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  for (int32_t i = 0; i < 3; i++) REQUIRE(f.produce(p, i).offset() == i);
  f.stop();
  f.start();
  p = f.partition("t");
  f.unreachable_store();
  for (int32_t i = 3; i < 20; i++) REQUIRE(f.produce(p, i).offset() == i);
  f.kill();
  f.lose_data_directory();
  f.start();
  p = f.partition("t");
  CHECK(f.produce(p, 2).offset() == 2);
  CHECK(f.produce(p, 19).code() == Errc::kOutOfOrder);
  CHECK(f.produce(p, 3).offset() == 3);
}

TEST_CASE("producer ids are never given twice, not even after the loss of the data directory") {
  ProducerFixture f;
  int64_t last = 0;
  auto allocate = [&] {
    Result<int64_t> id = fail(Errc::kTimedOut, "not answered");
    f.engine->allocate_producer_ids(5, [&](Result<int64_t> r) { id = std::move(r); });
    REQUIRE(id);
    CHECK(*id > last);
    last = *id + 4;
  };
  for (int round = 0; round < 3; round++) {
    f.start();
    allocate(), allocate();
    f.power_cut();
    if (round == 1) f.lose_data_directory();
  }
  CHECK((last >> kProducerIdBits) == 3);
}

TEST_CASE("batches of a producer that wait for room keep their order, and one that is given up takes the later ones along") {
  ProducerFixture f;
  f.options.wal_max_bytes = 4 << 20;
  f.start();
  PartitionId p = f.make_partition("t");
  f.unreachable_store();
  std::string filler(100'000, 'x');
  filler += "\n";
  while (f.append(p, filler)) {  // until one is not answered: the log is full
  }
  int64_t end = f.end(p);
  constexpr size_t kLarge = 200'000;
  SUBCASE("room comes in time") {
    auto first = f.send(p, 0, 1, 7, 0, kLarge), repeated = f.send(p, 0, 1, 7, 0, kLarge), second = f.send(p, 1);
    CHECK_FALSE(first->outcome);
    f.store->set_faults({});
    f.executor->advance(std::chrono::seconds(4));
    CHECK(first->offset() > end);  // the filler that waited is before it
    CHECK(repeated->offset() == first->offset());
    CHECK(second->offset() == first->offset() + 1);
  }
  SUBCASE("no room comes") {
    auto first = f.send(p, 0, 1, 7, 0, kLarge);
    auto other = f.send(p, 0, 1, 8, 0, kLarge);
    f.executor->advance(std::chrono::milliseconds(4900));
    auto second = f.send(p, 1);
    f.executor->advance(std::chrono::milliseconds(200));
    CHECK(first->code() == Errc::kTimedOut);
    CHECK(other->code() == Errc::kTimedOut);
    CHECK(second->code() == Errc::kTimedOut);  // though its own time is not over
    f.store->set_faults({});
    f.executor->advance(std::chrono::seconds(60));
    CHECK(f.produce(p, 1).code() == Errc::kOutOfOrder);  // it may not overtake
    CHECK(f.produce(p, 0).offset() >= 0);
    CHECK(f.produce(p, 1).offset() >= 0);
  }
  SUBCASE("the first was refused at once") {
    auto refused = f.send(p, 0, 1, 7, 0, kLarge, {Ack::durable, Wait::no});
    CHECK(refused->code() == Errc::kWouldBlock);
    f.store->set_faults({});
    f.executor->advance(std::chrono::seconds(60));
    CHECK(f.produce(p, 1).code() == Errc::kOutOfOrder);
    CHECK(f.produce(p, 0).offset() >= 0);
  }
}

TEST_CASE("producers that append nothing for the time set are forgotten, and without any there is no timer") {
  ProducerFixture f;
  f.options.producer_id_expiration = std::chrono::hours(2);
  f.start();
  PartitionId p = f.make_partition("t");
  f.executor->advance(std::chrono::minutes(5));
  CHECK(f.executor->pending() == 0);
  REQUIRE(f.produce(p, 0).offset() == 0);
  f.executor->advance(std::chrono::minutes(90));
  REQUIRE(f.produce(p, 0, 1, 8).offset() == 1);
  f.executor->advance(std::chrono::minutes(31));
  CHECK(f.status_has("\"known\": 1,"));
  CHECK(f.status_has("\"expired\": 1,"));
  CHECK(f.produce(p, 5).offset() == 2);  // unknown again: begins anywhere
  f.executor->advance(std::chrono::hours(4));
  CHECK(f.status_has("\"known\": 0,"));
  CHECK(f.executor->pending() == 0);
  f.stop();
  f.start();
  CHECK(f.status_has("\"known\": 0,"));
}

TEST_CASE("where the log sets the times, a batch that claims to have them from there is refused") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t");
  BatchHeader h;
  h.attributes = kAttributeLogAppendTime;
  std::string bytes = encode_batch(h, std::vector<TestRecord>{{"value"}});
  auto append = [&] {
    Result<Appended> outcome = fail(Errc::kTimedOut, "not answered");
    f.engine->append_batch(p, as_byte_span(bytes), {}, [&](Result<Appended> r) { outcome = std::move(r); });
    f.settle();
    return outcome;
  };
  CHECK(append());  // the bit is cleared
  f.engine->change_settings(f.engine->find_topic("t")->id, {{"message.timestamp.type", "LogAppendTime"}},
                            [](Result<TopicPtr> r) { CHECK(r); });
  f.settle();
  auto refused = append();
  REQUIRE_FALSE(refused);
  CHECK(fault_of(refused.error()) == BatchFault::invalid_timestamp);
}

TEST_CASE("leader epochs grow with each start, and say where the records of each begin") {
  ProducerFixture f;
  f.start();
  PartitionId p = f.make_partition("t", 2);
  auto epochs = [&](PartitionId id) {
    std::vector<EpochStart> all;
    f.engine->leader_epochs(id, [&](Result<std::vector<EpochStart>> r) { all = std::move(r.value()); });
    return all;
  };
  CHECK(f.engine->leader_epoch() == 0);
  CHECK(epochs(p).empty());
  REQUIRE(f.append(p, "a\nb\n"));
  f.power_cut();
  f.start();
  CHECK(f.engine->leader_epoch() == 1);
  REQUIRE(f.produce(p, 0).offset() == 2);
  f.stop();
  f.start();  // nothing is appended in this one
  f.power_cut();
  f.start();
  f.executor->advance(std::chrono::seconds(100));
  REQUIRE(f.append(p, "c\n"));
  std::vector<EpochStart> expected{{0, Offset(0)}, {1, Offset(2)}, {3, Offset(3)}};
  CHECK(epochs(p) == expected);
  CHECK(epochs(f.partition("t", 1)).empty());
  std::optional<Result<Fetched>> got;
  f.engine->fetch(p, Offset(2), 1 << 20, [&](Result<Fetched> r) { got = std::move(r); });
  f.settle();
  REQUIRE((got && *got));
  CHECK(BatchHeader::parse((*got)->batches.pieces)->partition_leader_epoch == 1);
  std::optional<TimestampedOffset> found;
  f.engine->find_timestamp(p, Engine::kMaxTimestamp, [&](Result<TimestampedOffset> r) { found = *r; });
  f.settle();
  REQUIRE(found);
  CHECK(found->leader_epoch == 3);
  SUBCASE("after a power cut") { f.power_cut(); }
  SUBCASE("out of the bucket's checkpoint") {
    f.stop();
    f.lose_data_directory();
  }
  SUBCASE("out of objects behind it") {
    f.stop();
    f.lose_data_directory();
    f.remove_object(f.keys("checkpoints/").back());
  }
  f.start();
  CHECK(epochs(p) == expected);
  CHECK(f.engine->leader_epoch() > 3);
}
