// What retention and deletion leave in the engine, in the log and in the bucket: claims on single steps, power cuts
// between any two of them, and random histories compared with a model.
#include <map>
#include <set>

#include "metadata/store_keys.h"
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

std::string lines(int from, int to, size_t padding = 0) {
  std::string all;
  for (int i = from; i < to; i++) all += "line " + std::to_string(i) + std::string(padding, 'x') + "\n";
  return all;
}

struct RetentionFixture : EngineFixture {
  RetentionFixture() { options.offload_interval = seconds(10); }

  void set(const std::string& topic, const std::string& name, const std::string& value) {
    engine->change_settings(engine->find_topic(topic)->id, {{name, value}},
                            [](Result<TopicPtr> r) { CHECK_MESSAGE(r, (r ? "" : r.error().message())); });
    settle();
  }
  /// Appends what makes objects: every 10 seconds one, `objects` times.
  void fill(PartitionId p, int objects, size_t bytes = 1000) {
    for (int i = 0; i < objects; i++) {
      REQUIRE(append(p, std::string(bytes - 1, static_cast<char>('a' + i % 26)) + "\n"));
      executor->advance(seconds(11));
    }
  }
  void remove_topic(const std::string& topic) {
    engine->delete_topic(engine->find_topic(topic)->id, OnlyEmpty::no, [](Result<void> r) { CHECK(r); });
    settle();
  }
  void lose_data_directory() {
    for (const auto& path : files.paths()) (void)files.remove(path);
  }
  uint64_t status_number(const std::string& name) {
    std::string json = status();
    size_t at = json.find("\"" + name + "\": ");
    REQUIRE_MESSAGE(at != std::string::npos, name);
    return std::stoull(json.substr(at + name.size() + 4));
  }
  size_t how_many_of(const std::vector<std::string>& keys) {
    size_t there = 0;
    for (const auto& key : keys) there += store->contains(key);
    return there;
  }
  int64_t log_start(PartitionId p) { return engine->ends(p)->log_start.v; }
};

}  // namespace

// ---- retention

TEST_CASE("records older than retention.ms go, from objects and from the log, and younger ones stay") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders"), forever = f.make_partition("forever");
  f.set("orders", "retention.ms", "60000");
  f.set("forever", "retention.ms", "-1");
  f.fill(forever, 1);
  f.fill(p, 4);  // at 11, 22, 33 and 44 seconds before now
  CHECK(f.log_start(p) == 0);
  f.executor->advance(seconds(20));
  CHECK(f.log_start(p) == 1);
  f.executor->advance(seconds(11));
  CHECK(f.log_start(p) == 2);
  REQUIRE(f.append(p, "young\n"));
  f.executor->advance(seconds(40));
  CHECK(f.read(p) == "young\n");
  f.executor->advance(minutes(2));
  CHECK(f.read(p) == "");
  CHECK(f.engine->ends(p)->log_start == f.engine->ends(p)->durable_end);
  CHECK(f.log_start(forever) == 0);
  f.power_cut();
  f.start();
  CHECK(f.read(f.partition("orders")) == "");
  CHECK(f.append(f.partition("orders"), "more\n")->base_offset == Offset(5));
}

TEST_CASE("a partition keeps at least retention.bytes, and little more") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.set("orders", "retention.ms", "-1");
  f.set("orders", "retention.bytes", "5000");
  for (int i = 0; i < 40; i++) {
    f.fill(p, 1);
    int64_t retained = f.engine->ends(p)->retained_bytes;
    if (i > 6) CHECK(retained >= 5000);
    CHECK(retained < 7500);
  }
  CHECK(f.log_start(p) > 30);
  f.set("orders", "retention.bytes", "0");
  f.executor->advance(seconds(10));
  CHECK(f.read(p) == "");
}

TEST_CASE("what is deleted counts for no limit when the log brings it back") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  for (int i = 0; i < 10; i++) {
    REQUIRE(f.append(p, std::string(999, 'a') + "\n"));
    f.settle();
  }
  REQUIRE(f.delete_records(p, 5));
  int64_t retained = f.engine->ends(p)->retained_bytes;
  // A checkpoint that knows of the deletion, while the log still has the records.
  f.store->fail_next(MemoryObjectStore::Verb::put, {Errc::kUnavailable, 0, "503"}, 1000);
  f.executor->advance(seconds(15));
  f.power_cut();
  f.start();
  p = f.partition("orders");
  CHECK(f.engine->ends(p)->retained_bytes == retained);
  f.set("orders", "retention.bytes", "4000");
  f.executor->advance(minutes(1));
  CHECK(f.log_start(p) == 6);
}

TEST_CASE("a limit keeps a large batch behind a small one that is deleted in part") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.append(p, lines(0, 100)));
  f.settle();
  REQUIRE(f.append(p, std::string(50'000, 'a') + "\n"));
  f.settle();
  REQUIRE(f.delete_records(p, 50));
  f.executor->advance(seconds(15));  // both are in one object now
  f.set("orders", "retention.bytes", "20000");
  f.executor->advance(minutes(1));
  CHECK(f.read(p) == lines(50, 100) + std::string(50'000, 'a') + "\n");
}

TEST_CASE("nothing is removed from a topic that is to be compacted, nor by an engine with no limits, which has no timer") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.set("orders", "cleanup.policy", "compact");
  f.set("orders", "retention.ms", "1000");
  f.set("orders", "retention.bytes", "0");
  PartitionId q = f.make_partition("kept");
  f.set("kept", "retention.ms", "-1");
  f.fill(q, 2);
  f.executor->advance(minutes(10));
  CHECK(f.log_start(q) == 0);
  CHECK(f.log_start(p) == 0);
  CHECK_FALSE(f.executor->next_due());
}

TEST_CASE("a limit that is set later acts on what is there, and after a restart") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.set("orders", "retention.ms", "-1");
  f.fill(p, 3);
  f.executor->advance(minutes(10));
  f.set("orders", "retention.ms", "60000");
  SUBCASE("at once") { f.executor->advance(seconds(5)); }
  SUBCASE("after a restart") {
    f.power_cut();
    f.start();  // the test's clock begins anew
    f.executor->advance(minutes(10));
  }
  CHECK(f.read(f.partition("orders")) == "");
}

// ---- objects

TEST_CASE("a clean stop stores changes that only the checkpoint in the directory knows") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.append(p, lines(0, 10)));
  f.executor->advance(seconds(30));
  REQUIRE(f.delete_records(p, 7));
  f.power_cut();
  f.start();
  // The checkpoint with which this epoch would announce itself reaches the directory alone.
  f.store->fail_next(MemoryObjectStore::Verb::put, {Errc::kUnavailable, 0, "503"}, 1000);
  f.executor->advance(seconds(15));
  f.power_cut();
  f.start();
  f.stop();
  f.lose_data_directory();
  f.start();
  CHECK(f.read(f.partition("orders")) == lines(7, 10));
}

TEST_CASE("a clean stop stores what was asked for before, and refuses what comes after") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  REQUIRE(f.append(p, lines(0, 10)));
  f.store->set_faults([](const MemoryObjectStore::Request& r) {
    MemoryObjectStore::Fate fate;
    if (r.key.starts_with("checkpoints/")) fate.latency = seconds(1);
    return fate;
  });
  bool stopped = false, changed = false;
  Errc refused{};
  Uuid topic = f.engine->find_topic("orders")->id;
  f.engine->change_settings(topic, {{"retention.ms", "7000"}}, [&](Result<TopicPtr> r) { changed = r.has_value(); });
  f.engine->stop(f.executor->now() + minutes(1), [&](Result<void> r) { stopped = r.has_value(); });
  CHECK_FALSE(changed);
  while (f.keys("objects/").empty()) f.executor->advance(std::chrono::milliseconds(100));
  f.engine->delete_records(p, Offset(7), [&](Result<Offset> r) { refused = r ? Errc{} : r.error().code; });
  for (int i = 0; i < 100 && !stopped; i++) f.executor->advance(std::chrono::milliseconds(100));
  CHECK(stopped);
  CHECK(changed);
  CHECK(refused == Errc::kClosed);
  f.kill();
  f.lose_data_directory();
  f.start();
  CHECK(f.engine->find_topic("orders")->settings.at("retention.ms") == "7000");
  CHECK(f.read(f.partition("orders")) == lines(0, 10));
}

TEST_CASE("a checkpoint's key names epoch, object and upload, and sorts by them") {
  std::string key = checkpoint_key(1, 0x2f, 3);
  CHECK(key == "checkpoints/0000000000000001-000000000000002f-0000000000000003");
  CHECK(parse_checkpoint_key(key) == EpochAndSequence{1, 0x2f});
  CHECK(checkpoint_key(1, 0x2f, 9) < checkpoint_key(1, 0x30, 0));
  CHECK(checkpoint_key(1, 0x2f, 9) < checkpoint_key(2, 0, 0));
  for (const char* bad : {"checkpoints/0000000000000001-000000000000002f", "checkpoints/", "",
                          "objects/0000000000000001-000000000000002f-0000000000000003"})
    CHECK_FALSE(parse_checkpoint_key(bad));
}

TEST_CASE("an object goes when nothing in it lives, and not before") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders"), other = f.make_partition("other");
  REQUIRE(f.append(other, "keeps the first object alive\n"));
  f.fill(p, 3);
  auto before = f.keys("objects/");
  CHECK(before.size() >= 3);
  REQUIRE(f.delete_records(p, -1));
  f.executor->advance(minutes(1));
  CHECK(f.how_many_of(before) == 1);
  CHECK(f.store->contains(before[0]));
  CHECK(f.status_number("deleted") >= 2);
  CHECK(f.read(other) == "keeps the first object alive\n");
  f.remove_topic("other");
  f.executor->advance(minutes(1));
  CHECK(f.how_many_of(before) == 0);
  CHECK(f.keys("checkpoints/").size() <= 2);
}

TEST_CASE("a deleted topic frees its index at once, and appends that were on their way end well") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 2);
  auto before = f.keys("objects/");
  int answers = 0;
  ByteSpan piece = as_byte_span("on its way\n");
  std::string large(100'000, 'l');
  ByteSpan large_piece = as_byte_span(large);
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes}, [&](Result<Appended>) { answers++; });
  f.engine->delete_topic(f.engine->find_topic("orders")->id, OnlyEmpty::no, [](Result<void> r) { CHECK(r); });
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {}, [&](Result<Appended>) { answers++; });
  f.engine->append_text(p, {&large_piece, 1}, LastLine::unfinished, {}, [&](Result<Appended>) { answers++; });
  f.settle();
  CHECK(answers == 3);
  CHECK_FALSE(f.engine->ends(p));
  f.executor->advance(minutes(2));
  CHECK(f.how_many_of(before) == 0);
  f.power_cut();
  f.start();
  CHECK_FALSE(f.engine->find_topic("orders"));
}

TEST_CASE("a store that refuses to delete is asked again, and all goes in the end") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 5);
  auto before = f.keys("objects/");
  f.store->fail_next(MemoryObjectStore::Verb::remove, Error{Errc::kUnavailable, 0, "503"}, 30);
  REQUIRE(f.delete_records(p, -1));
  f.executor->advance(seconds(8));
  CHECK(f.status_number("delete_failures") >= 1);
  CHECK(f.how_many_of(before) > 0);
  f.executor->advance(minutes(10));
  CHECK(f.how_many_of(before) == 0);
  CHECK(f.status().find("\"delete_last\": \"\"") != std::string::npos);
}

TEST_CASE("nothing is deleted while no checkpoint without it can be uploaded") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 3);
  auto before = f.keys("objects/");
  f.store->set_faults([](const MemoryObjectStore::Request& r) {
    if (r.verb != MemoryObjectStore::Verb::put || !r.key.starts_with(kCheckpointPrefix)) return MemoryObjectStore::Fate{};
    return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
  });
  REQUIRE(f.delete_records(p, -1));
  f.executor->advance(minutes(5));
  CHECK(f.how_many_of(before) == before.size());
  f.store->set_faults({});
  f.executor->advance(minutes(10));
  CHECK(f.how_many_of(before) == 0);
}

TEST_CASE("what a crash left in the bucket goes once a later daemon has announced itself") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 3);
  auto living = f.keys("objects/");
  f.power_cut();
  f.copy_object(living[0], object_key(1, 99));  // put, and the crash came before its record
  f.start();
  f.fill(f.partition("orders"), 1);
  f.executor->advance(seconds(30));
  CHECK_FALSE(f.store->contains(object_key(1, 99)));
  CHECK(f.status_number("orphans") == 1);
  for (const auto& key : living) CHECK(f.store->contains(key));
  CHECK(f.keys("epochs/").size() == 2);
  SUBCASE("but not if there are more of them than a crash can leave, of an epoch that was another directory's") {
    f.power_cut();
    f.copy_object(epoch_key(2), epoch_key(3));
    f.copy_object(living[0], object_key(3, 98));
    f.copy_object(living[0], object_key(3, 99));
    f.start();
    f.fill(f.partition("orders"), 1);
    f.executor->advance(minutes(5));
    CHECK(f.store->contains(object_key(3, 98)));
    CHECK(f.store->contains(object_key(3, 99)));
  }
}

TEST_CASE("a store that a later daemon has claimed is left alone") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 3);
  f.executor->advance(seconds(30));
  auto before = f.keys();
  f.copy_object(epoch_key(1), epoch_key(2));
  REQUIRE(f.delete_records(p, -1));
  f.executor->advance(minutes(5));
  CHECK(f.how_many_of(before) == before.size());
}

TEST_CASE("a daemon that claims the store while a checkpoint is uploaded finds what an older checkpoint names") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 3);
  f.executor->advance(seconds(30));
  auto before = f.keys("objects/");
  f.store->set_faults([](const MemoryObjectStore::Request& r) {
    MemoryObjectStore::Fate fate;
    if (r.key.starts_with("checkpoints/")) fate.latency = minutes(1);
    return fate;
  });
  REQUIRE(f.delete_records(p, -1));
  f.executor->advance(seconds(30));
  f.copy_object(epoch_key(1), epoch_key(2));
  f.executor->advance(minutes(5));
  CHECK(f.how_many_of(before) == before.size());
}

TEST_CASE("where the objects are too many to be listed, or no listing comes, the dead ones go all the same") {
  RetentionFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.fill(p, 3);
  f.power_cut();
  f.start();
  auto before = f.keys("objects/");
  Errc code = Errc::kTooLarge;
  SUBCASE("too many") {}
  SUBCASE("none") { code = Errc::kUnavailable; }
  f.store->set_faults([code](const MemoryObjectStore::Request& r) {
    if (r.verb != MemoryObjectStore::Verb::list || r.key != kObjectPrefix) return MemoryObjectStore::Fate{};
    return MemoryObjectStore::Fate{{}, Error{code, 0, "no"}, MemoryObjectStore::Fate::Effect::none};
  });
  REQUIRE(f.delete_records(f.partition("orders"), -1));
  f.executor->advance(minutes(5));
  CHECK(f.how_many_of(before) == 0);
}

TEST_CASE("the bucket holds a bounded number of checkpoints, however long a store lives, and each claim of an epoch") {
  RetentionFixture f;
  for (int i = 0; i < 6; i++) {
    f.start();
    PartitionId p = i == 0 ? f.make_partition("orders") : f.partition("orders");
    for (int j = 0; j < 4; j++) {
      f.fill(p, 1);
      REQUIRE(f.delete_records(p, -1));
      f.executor->advance(seconds(20));
    }
    if (i % 2) f.power_cut();
    else f.stop();
  }
  CHECK(f.keys("checkpoints/").size() <= 4);
  CHECK(f.keys("epochs/").size() == 6);
  CHECK(f.keys("objects/").size() <= 20);
}

// ---- crashes

TEST_CASE("a power cut between any two steps of a deletion leaves every living record, here and in the bucket") {
  for (int cut = 0;; cut++) {
    CAPTURE(cut);
    RetentionFixture f;
    f.start();
    PartitionId p = f.make_partition("orders"), other = f.make_partition("other");
    std::string kept;
    for (int i = 0; i < 3; i++) {
      kept += lines(i, i + 1);
      if (i < 2) REQUIRE(f.append(other, lines(i, i + 1)));
      REQUIRE(f.append(p, lines(10 * i, 10 * i + 10)));
      f.executor->advance(seconds(11));
    }
    REQUIRE(f.append(other, lines(2, 3)));
    bool answered = false;
    f.engine->delete_records(p, Offset(25), [&](Result<Offset> r) { answered = r.has_value(); });
    bool ended = false;
    MonotonicTime until = f.executor->now() + seconds(40);
    for (int i = 0; i < cut && !ended; i++) {
      if (f.executor->step()) continue;
      auto next = f.executor->next_due();
      ended = !next || *next > until;
      if (!ended) f.executor->advance(*next - f.executor->now());
    }
    bool promised = answered;
    bool from_bucket = cut % 2;
    bool other_offloaded = f.keys("objects/").size() > 3;
    f.power_cut();
    if (from_bucket) f.lose_data_directory();
    f.start();
    p = f.partition("orders");
    int64_t start = f.log_start(p);
    CHECK((start == 0 || start == 25));
    if (promised && !from_bucket) CHECK(start == 25);
    CHECK(f.read(p) == lines(static_cast<int>(start), 30));
    std::string others = f.read(f.partition("other"));
    if (from_bucket && !other_offloaded) CHECK(kept.starts_with(others));
    else CHECK(others == kept);
    CHECK(f.append(p, "more\n")->base_offset == Offset(30));
    // And it goes on: what can go goes, what lives stays.
    f.fill(p, 1);
    REQUIRE(f.delete_records(p, -1));
    f.executor->advance(minutes(3));
    CHECK(f.read(f.partition("other")) == others);
    for (const auto& path : f.files.paths()) CHECK(path.find("data") != std::string::npos);
    f.stop();
    f.lose_data_directory();
    f.start();
    CHECK(f.read(f.partition("other")) == others);
    CHECK(f.read(f.partition("orders")) == "");
    if (ended) break;
    REQUIRE(cut < 2000);
  }
}

TEST_CASE("random appends, deletions, retention, power cuts and losses of the directory agree with a model") {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    CAPTURE(seed);
    SeededRandom dice(seed);
    auto below = [&](uint64_t n) { return dice.next() % n; };
    RetentionFixture f;
    f.random = SeededRandom(seed + 1000);
    f.start();
    struct Model {
      std::vector<std::string> records;
      size_t start = 0;
    };
    std::map<std::string, Model> model;
    auto check = [&] {
      for (auto& [name, m] : model) {
        CAPTURE(name);
        PartitionId p = f.partition(name);
        PartitionEnds ends = *f.engine->ends(p);
        REQUIRE(ends.durable_end == Offset(static_cast<int64_t>(m.records.size())));
        REQUIRE(ends.log_start >= Offset(static_cast<int64_t>(m.start)));  // retention may have moved it further
        m.start = static_cast<size_t>(ends.log_start.v);
        std::string expected;
        int64_t text = 0;
        for (size_t i = 0; i < m.records.size(); i++) {
          if (i >= m.start) expected += m.records[i];
          else text += static_cast<int64_t>(m.records[i].size());
        }
        REQUIRE(ends.text_start == TextPosition(text));
        REQUIRE(f.read(p, 1 + below(5000)) == expected);
      }
    };
    int topics = 0;
    for (int i = 0; i < 120; i++) {
      uint64_t what = below(100);
      if (model.empty() || what < 5) {
        std::string name = "t" + std::to_string(topics++);
        f.make_partition(name);
        f.set(name, "retention.ms", below(3) ? "-1" : std::to_string(20'000 + below(100'000)));
        if (below(4) == 0) f.set(name, "retention.bytes", std::to_string(below(20'000)));
        model[name];
        continue;
      }
      auto chosen = std::next(model.begin(), static_cast<ptrdiff_t>(below(model.size())));
      Model& m = chosen->second;
      PartitionId p = f.partition(chosen->first);
      if (what < 50) {
        std::string text;
        for (uint64_t n = 1 + below(20); n > 0; n--) {
          m.records.push_back(std::to_string(m.records.size()) + std::string(below(2000), 'r') + "\n");
          text += m.records.back();
        }
        REQUIRE(f.append(p, text));
      } else if (what < 70) {
        int64_t end = static_cast<int64_t>(m.records.size());
        int64_t to = below(4) ? static_cast<int64_t>(below(static_cast<uint64_t>(end) + 1)) : -1;
        auto start = f.delete_records(p, to);
        REQUIRE(start);
        m.start = std::max(m.start, static_cast<size_t>(to < 0 ? end : to));
        REQUIRE(start->v >= static_cast<int64_t>(m.start));
      } else if (what < 73) {
        f.remove_topic(chosen->first);
        model.erase(chosen);
      } else if (what < 90) {
        f.executor->advance(seconds(static_cast<int64_t>(below(30))));
      } else if (what < 95) {
        f.power_cut();
        f.start();
      } else if (what < 98) {
        f.store->fail_next(MemoryObjectStore::Verb::put, Error{Errc::kUnavailable, 0, "503"}, 0);
        f.executor->advance(minutes(1));  // what failed is tried again
        f.stop();
        f.lose_data_directory();
        f.start();
      } else {
        f.store->fail_next(below(2) ? MemoryObjectStore::Verb::remove : MemoryObjectStore::Verb::put,
                           Error{Errc::kUnavailable, 0, "503"}, static_cast<int>(1 + below(4)));
      }
      if (below(4) == 0) check();
    }
    check();
    // With nothing left to live for, nothing is left.
    f.executor->advance(minutes(1));
    auto before = f.keys("objects/");
    bool any = !f.engine->list_topics().empty();
    for (const TopicPtr& t : f.engine->list_topics()) f.remove_topic(t->name);
    f.executor->advance(minutes(20));
    CHECK(f.keys("objects/").size() <= StoredObjects::kManyDead);
    if (any && f.status_number("dead") == 0) CHECK(f.how_many_of(before) == 0);
    CHECK(f.keys("checkpoints/").size() <= 4);
  }
}
