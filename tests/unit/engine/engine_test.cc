#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

std::string lines(int from, int to, const std::string& suffix = "") {
  std::string all;
  for (int i = from; i < to; i++) all += "line " + std::to_string(i) + suffix + "\n";
  return all;
}

}  // namespace

TEST_CASE("what was appended reads back byte for byte, binary and unfinished lines included") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  std::string binary("\0\n\xff\n\n", 5);
  CHECK(f.append(p, "hello\n"));
  CHECK(f.append(p, binary));
  CHECK(f.append(p, "no newline"));
  CHECK(f.read(p) == "hello\n" + binary + "no newline");
  CHECK(f.read(p, 3) == "hello\n" + binary + "no newline");
  CHECK(f.engine->ends(p)->visible_end == Offset(5));
  CHECK(f.engine->ends(p)->durable_end == Offset(5));
}

TEST_CASE("an acknowledged append survives a power cut, with its offset and position") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  for (int i = 0; i < 50; i++) REQUIRE(f.append(p, lines(i, i + 1)));
  f.power_cut();
  f.start();
  p = f.partition("orders");
  CHECK(f.read(p) == lines(0, 50));
  CHECK(f.engine->ends(p)->durable_end == Offset(50));
  auto appended = f.append(p, "more\n");
  REQUIRE(appended);
  CHECK(appended->base_offset == Offset(50));
}

TEST_CASE("a directory to which nothing is written opens again and again") {
  EngineFixture f;
  for (int i = 0; i < 5; i++) {
    f.start();
    f.stop();
  }
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "x\n"));
  f.power_cut();
  for (int i = 0; i < 3; i++) {
    f.start();
    CHECK(f.read(f.partition("orders")) == "x\n");
    f.power_cut();
  }
}

TEST_CASE("an append that was not acknowledged is there as a whole or not at all") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.append(p, "safe\n"));
  ByteSpan piece = as_byte_span("in doubt\n");
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes}, [](Result<Appended> r) { CHECK(r); });
  f.power_cut();  // before the commit was written
  f.start();
  CHECK(f.read(f.partition("orders")) == "safe\n");
}

TEST_CASE("many appends share one commit, a lone appender waits for nobody") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders", 8);
  uint64_t before = f.device->writes();
  REQUIRE(f.append(p, "alone\n"));
  CHECK(f.device->writes() == before + 1);
  int answered = 0;
  for (int i = 0; i < 500; i++) {
    std::string text = lines(i, i + 1);
    ByteSpan piece = as_byte_span(text);
    f.engine->append_text(f.partition("orders", static_cast<size_t>(i % 8)), {&piece, 1}, LastLine::complete, {},
                          [&](Result<Appended> r) { answered += r ? 1 : 0; });
  }
  f.executor->run_until_idle();
  CHECK(answered == 500);
  CHECK(f.device->writes() <= before + 3);
}

TEST_CASE("data that was offloaded reads back from the objects, and the log's segments are used again") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders", 3);
  std::string expected[3];
  for (int i = 0; i < 3000; i++) {
    std::string text = lines(i, i + 1, std::string(static_cast<size_t>(i % 5000), 'x'));
    expected[i % 3] += text;
    REQUIRE(f.append(f.partition("orders", static_cast<size_t>(i % 3)), text));
    if (i % 100 == 0) f.settle();
  }
  f.settle();
  CHECK(f.keys("objects/").size() > 10);
  for (size_t i = 0; i < 3; i++) CHECK(f.read(f.partition("orders", i), 100'000) == expected[i]);
  auto counts = f.status();
  CHECK_MESSAGE(counts.find("\"from_objects\": 0") == std::string::npos, counts);
  CHECK(p.v > 0);

  SUBCASE("after a power cut") {
    f.power_cut();
    f.start();
    for (size_t i = 0; i < 3; i++) CHECK(f.read(f.partition("orders", i), 100'000) == expected[i]);
  }
  SUBCASE("after the loss of the data directory, as far as it was offloaded") {
    f.stop();
    f.files.crash();
    for (const auto& path : f.files.paths()) (void)f.files.remove(path);
    f.start();
    for (size_t i = 0; i < 3; i++) CHECK(f.read(f.partition("orders", i), 100'000) == expected[i]);
    REQUIRE(f.append(f.partition("orders"), "more\n"));
    f.power_cut();
    f.start();
    CHECK(f.read(f.partition("orders")) == expected[0] + "more\n");
  }
}

TEST_CASE("after a restart the offload goes on behind what the log says is in objects, and stores nothing twice") {
  EngineFixture f;
  f.options.pool_bytes = 16 << 20;  // keeps the segments, so that all of the log is replayed
  f.start();
  f.make_partition("orders");
  std::string expected, text = std::string(50'000, 'x') + "\n";
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 60; i++, expected += text) REQUIRE(f.append(f.partition("orders"), text));
    f.settle();
    f.power_cut();
    f.start();
    CHECK(f.status().find("\"offloaded_segment\": 0") == std::string::npos);
  }
  f.stop();
  uint64_t stored = 0;
  for (const std::string& key : f.keys("objects/")) {
    MutexLock l(f.bucket->mutex);
    stored += f.bucket->objects[key]->size();
  }
  CHECK(stored > expected.size());
  CHECK(stored < expected.size() * 11 / 10);
  f.start();
  CHECK(f.read(f.partition("orders")) == expected);
}

TEST_CASE("an object that is lost is a corrupt store to its readers and in the status, and read again when it is back") {
  EngineFixture f;
  f.start();
  f.make_partition("orders");
  REQUIRE(f.append(f.partition("orders"), "a line\n"));
  f.stop();
  f.start();
  auto code = [&] {
    std::optional<Result<TextRead>> got;
    f.engine->read_text(f.partition("orders"), TextPosition(0), 100, [&](Result<TextRead> r) { got = std::move(r); });
    f.executor->run_until_idle();
    REQUIRE(got);
    return *got ? std::string("read") : std::string(name_of(got->error().code)) + " " + got->error().message();
  };
  auto stored = f.stored();
  const std::string key = f.keys("objects/").front();
  f.remove_object(key);
  std::string said = code();
  CHECK(said.starts_with(name_of(Errc::kCorrupt)));
  CHECK(said.find(key) != std::string::npos);
  CHECK(said.ends_with(": the object is lost"));
  CHECK(f.status().find("\"object_reads\": 1,") != std::string::npos);
  CHECK(f.status().find(": the object is lost\"") != std::string::npos);
  {
    MutexLock l(f.bucket->mutex);
    f.bucket->objects = stored;
  }
  CHECK(code() == "read");
}

TEST_CASE("who reads old data from end to end finds room in the pool for all of it, block after block") {
  EngineFixture f;
  f.options.pool_bytes = 256 << 20;  // 32 MiB of it are the readers'
  f.options.wal_segment_bytes = 16 << 20;
  f.options.wal_max_bytes = 128 << 20;
  f.options.object_bytes = 8 << 20;
  f.start();
  PartitionId p = f.make_partition("orders");
  const std::string text = std::string(999'999, 'x') + "\n";
  for (int i = 0; i < 48; i++) REQUIRE(f.append(p, text));
  f.stop();
  f.start();
  CHECK(f.read(f.partition("orders")).size() == 48 * text.size());
  std::string status = f.status();
  CHECK_MESSAGE(status.find("\"blocks_in_heap\": 0") != std::string::npos, status);
  CHECK_MESSAGE(status.find("\"blocks_in_pool\": 0") == std::string::npos, status);
}

TEST_CASE("a torn tail is dropped, a damaged middle is refused") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  for (int i = 0; i < 20; i++) REQUIRE(f.append(p, lines(i, i + 1)));
  f.power_cut();
  std::string segment;
  for (const auto& path : f.files.paths())
    if (path.find("segment-000001") != std::string::npos) segment = path;
  REQUIRE_FALSE(segment.empty());
  SUBCASE("the last commit") {
    // Commits are a block each: the topic, the commit that closed it, 20 lines; so the last one is block 22.
    f.files.damage(segment, 22 * 4096 + 10);
    f.start();
    CHECK(f.read(f.partition("orders")) == lines(0, 19));
  }
  SUBCASE("a commit with others behind it") {
    f.files.damage(segment, 10 * 4096 + 70);
    auto opened = f.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::kCorrupt);
    CHECK(opened.error().what.find("damaged") != std::string::npos);
  }
}

TEST_CASE("after a failed write nothing is acknowledged, reads go on, and a restart recovers") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.append(p, "safe\n"));
  f.files.fail_writes("segment", Error{Errc::kIo, 5, "write"}, 1);
  auto failed = f.append(p, "lost\n");
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Errc::kReadOnly);
  auto refused = f.append(p, "refused\n", Ack::buffered);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kReadOnly);
  CHECK(f.read(p).starts_with("safe\n"));
  f.power_cut();
  f.start();
  CHECK(f.read(f.partition("orders")) == "safe\n");
  CHECK(f.append(f.partition("orders"), "again\n"));
}

TEST_CASE("an append that waits because the disk is full goes on by itself when the disk has room") {
  EngineFixture f;
  f.options.object_bytes = 64 << 20;  // nothing leaves the log
  f.start();
  PartitionId p = f.make_partition("orders");
  std::string text = std::string(100'000, 'x') + "\n", expected;
  f.files.fail_new_files("segment-", Error{Errc::kNoSpace, 28, "disk"});
  std::shared_ptr<std::optional<Result<Appended>>> last;
  for (int i = 0; i < 200; i++) {
    last = std::make_shared<std::optional<Result<Appended>>>();
    ByteSpan piece = as_byte_span(text);
    f.engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::durable, Wait::yes},
                          [last](Result<Appended> r) { *last = std::move(r); });
    f.executor->run_until_idle();
    if (!*last) break;
    REQUIRE(**last);
    expected += text;
  }
  REQUIRE_FALSE(*last);
  f.executor->advance(std::chrono::seconds(2));
  REQUIRE_FALSE(*last);
  CHECK(f.status().find("\"segments\": \"disk: No space left on device\"") != std::string::npos);
  f.files.fail_new_files("", {});
  f.executor->advance(std::chrono::seconds(2));
  REQUIRE(*last);
  CHECK(**last);
  CHECK(f.read(p) == expected + text);
  CHECK(f.status().find("\"segments\": \"\"") != std::string::npos);
}

TEST_CASE("while the store is gone the log takes what it can hold, then appends wait, and go on by themselves") {
  EngineFixture f;
  f.options.wal_max_bytes = 4 << 20;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.store->set_faults([](const MemoryObjectStore::Request&) {
    return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
  });
  std::string expected, text = std::string(100'000, 'x') + "\n";
  while (f.append(p, text)) expected += text;  // until one is not answered
  CHECK(expected.size() > 2'000'000);
  CHECK(f.read(p).size() >= expected.size());
  f.executor->advance(std::chrono::seconds(6));
  CHECK(f.status().find("\"timed_out\": 1") != std::string::npos);
  f.store->set_faults({});
  f.executor->advance(std::chrono::seconds(60));
  CHECK(f.append(p, text));
  CHECK(f.read(p) == expected + text);
}

TEST_CASE("topics, partitions, settings and owners come back after a power cut and from the bucket") {
  EngineFixture f;
  f.start();
  f.make_partition("orders", 2);
  Uuid id = f.engine->find_topic("orders")->id;
  auto expect = [](Result<TopicPtr> r) { CHECK_MESSAGE(r, (r ? "" : r.error().message())); };
  f.engine->add_partitions(id, 4, {1, 2, 0600}, expect);
  f.engine->change_settings(id, {{"max.message.bytes", "1000"}}, expect);
  f.engine->change_ownership(id, {7, 8, 0750}, expect);
  f.engine->change_ownership(f.partition("orders", 1), {9, std::nullopt, 0640}, [](Result<TopicPtr>) {});
  f.make_partition("gone");
  f.engine->delete_topic(f.engine->find_topic("gone")->id, OnlyEmpty::yes, [](Result<void> r) { CHECK(r); });
  int64_t producer = -1;
  f.engine->allocate_producer_ids(10, [&](Result<int64_t> r) { producer = *r; });
  f.settle();
  auto check = [&] {
    TopicPtr t = f.engine->find_topic("orders");
    REQUIRE(t);
    CHECK(t->id == id);
    CHECK(t->partitions.size() == 4);
    CHECK(t->settings.at("max.message.bytes") == "1000");
    CHECK(t->ownership == Ownership{7, 8, 0750});
    CHECK(t->partitions[1].ownership.uid == 9);
    CHECK(t->partitions[3].ownership == Ownership{1, 2, 0600});
    CHECK_FALSE(f.engine->find_topic("gone"));
    int64_t next = -1;
    f.engine->allocate_producer_ids(1, [&](Result<int64_t> r) { next = *r; });
    f.settle();
    CHECK(next >= producer + 10);
  };
  check();
  f.power_cut();
  f.start();
  check();
  f.stop();
  for (const auto& path : f.files.paths()) (void)f.files.remove(path);
  f.start();
  check();
}

TEST_CASE("a bucket that cannot be read stops the start, and so does a data directory of another store") {
  EngineFixture f;
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "x\n"));
  f.stop();
  auto other = std::make_shared<MemoryBucket>();
  SUBCASE("another store") {
    EngineFixture g;
    g.random = SeededRandom(99);
    g.start();
    g.stop();
    f.bucket = g.bucket;
    auto opened = f.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::kInvalidArgument);
  }
  SUBCASE("an empty bucket where objects are known") {
    f.bucket = other;
    auto opened = f.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::kInvalidArgument);
  }
  SUBCASE("without its newest checkpoint, the objects behind the one before are adopted") {
    for (const auto& path : f.files.paths()) (void)f.files.remove(path);
    f.remove_object(f.keys("checkpoints/").back());
    f.start();
    CHECK(f.read(f.partition("orders")) == "x\n");
  }
  SUBCASE("an object that a listing leaves out") {
    for (const auto& path : f.files.paths()) (void)f.files.remove(path);
    f.copy_object(f.keys("objects/").back(), "objects/0000000000000001-0000000000000009");
    f.remove_object(f.keys("checkpoints/").back());
    auto opened = f.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::kCorrupt);
  }
}

TEST_CASE("a data directory that is older than what the bucket holds stops the start, and claims nothing") {
  EngineFixture f, other;
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "x\n"));
  f.stop();
  SUBCASE("another machine has taken the bucket over and written to it") {
    other.bucket = f.bucket;
    other.start();
    REQUIRE(other.append(other.partition("orders"), "y\n"));
    other.stop();
    auto claims = f.keys("epochs/");
    auto opened = f.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::kInvalidArgument);
    CHECK(opened.error().what.find("another data directory") != std::string::npos);
    CHECK(f.keys("epochs/") == claims);
  }
  SUBCASE("its note of the last claim is damaged, and the bucket holds what it knows") {
    REQUIRE(write_file(f.files, f.options.data_dir, "epoch", as_byte_span("zzz")));
    f.start();
    CHECK(f.read(f.partition("orders")) == "x\n");
  }
  SUBCASE("another machine has been there, and wrote nothing") {
    other.bucket = f.bucket;
    other.start();
    other.power_cut();
    f.start();
    CHECK(f.read(f.partition("orders")) == "x\n");
  }
}

TEST_CASE("whichever request to the bucket fails, a recovery from it does not start, and the next one finds everything") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders", 2);
  std::string expected[2];
  for (int i = 0; i < 200; i++) {
    std::string text = lines(i, i + 1, std::string(5'000, 'x'));
    expected[i % 2] += text;
    REQUIRE(f.append(f.partition("orders", static_cast<size_t>(i % 2)), text));
  }
  f.executor->advance(std::chrono::seconds(61));
  REQUIRE(f.keys("objects/").size() > 2);
  CHECK(p.v > 0);
  f.power_cut();  // so that there are objects behind the newest checkpoint
  const auto contents = f.stored();
  auto lose_disk = [&] {
    for (const auto& path : f.files.paths()) (void)f.files.remove(path);
    MutexLock l(f.bucket->mutex);
    f.bucket->objects = contents;
  };
  uint64_t requests = 0, failing = 0;
  const auto fault = [&](const MemoryObjectStore::Request& r) {
    requests++;
    return MemoryObjectStore::Fate{{}, r.number == failing ? Error{Errc::kUnavailable, 0, "503"} : Error{},
                                   MemoryObjectStore::Fate::Effect::none};
  };
  for (;; failing++) {
    CAPTURE(failing);
    lose_disk();
    requests = 0;
    f.faults = fault;
    auto opened = f.open();
    if (opened) break;
    CHECK(opened.error().code == Errc::kUnavailable);
    f.kill();
    f.faults = {};
    lose_disk();
    f.start();
    for (size_t i = 0; i < 2; i++) CHECK(f.read(f.partition("orders", i), 100'000) == expected[i]);
    f.power_cut();
  }
  CHECK(failing >= requests);
  CHECK(failing >= 10);  // identity, claims, checkpoints, objects, and of each newer object footer, catalog and data
}
