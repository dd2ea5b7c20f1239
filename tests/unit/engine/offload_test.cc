// When data moves to the store: by age, by size, when memory or the log runs full; and what failed is tried again.
// (A clean stop: restart_test.cc.)
#include <set>

#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const std::string kLine = std::string(9'999, 'x') + "\n";

struct OffloadFixture : EngineFixture {
  /// Each reason for an offload is far away, unless the test brings it near.
  OffloadFixture() {
    options.offload_interval = std::chrono::hours(10);
    options.object_bytes = 64 << 20;
    options.wal_max_bytes = 64 << 20;
    options.pool_bytes = 32 << 20;
  }
  size_t objects() { return keys("objects/").size(); }
  /// Appends lines until the store has an object, at most `most` bytes; how many bytes that took.
  size_t append_until_offloaded(PartitionId p, size_t most) {
    for (size_t appended = 0; appended < most;) {
      REQUIRE(append(p, kLine));
      appended += kLine.size();
      if (objects() > 0) return appended;
    }
    return most;
  }
};

}  // namespace

TEST_CASE("data moves to the store when it has the age of offload_interval, and not before") {
  OffloadFixture f;
  f.options.offload_interval = seconds(60);
  f.start();
  PartitionId p = f.make_partition("orders");
  f.executor->advance(seconds(70));  // the topic itself, which a checkpoint tells of
  REQUIRE(f.objects() == 0);
  for (size_t round = 1; round < 4; round++) {
    REQUIRE(f.append(p, "a line\n", round % 2 ? Ack::durable : Ack::buffered));
    f.executor->advance(seconds(30));
    REQUIRE(f.append(p, "a younger one\n"));
    f.executor->advance(seconds(29));
    CHECK(f.objects() == round - 1);
    f.executor->advance(seconds(2));
    CHECK(f.objects() == round);
  }
  CHECK(f.status().find("\"pending_bytes\": 0") == std::string::npos);  // the record of the last object
  f.executor->advance(std::chrono::hours(1));
  CHECK(f.objects() == 3);  // which is no reason for another one
}

TEST_CASE("data moves to the store when there is object_bytes of it, and not before") {
  OffloadFixture f;
  f.options.object_bytes = 256 << 10;
  f.start();
  size_t appended = f.append_until_offloaded(f.make_partition("orders"), 1 << 20);
  CHECK(appended > 240 << 10);
  CHECK(appended < 280 << 10);
}

TEST_CASE("when three quarters of the pool are not offloaded, data moves to the store early") {
  OffloadFixture f;
  f.options.pool_bytes = 4 << 20;
  f.start();
  size_t appended = f.append_until_offloaded(f.make_partition("orders"), 6 << 20);
  CHECK(appended > 5 << 19);
  CHECK(appended < 7 << 19);
}

TEST_CASE("when three quarters of the log are not offloaded, data moves to the store early") {
  OffloadFixture f;
  f.options.wal_max_bytes = 8 << 20;
  f.start();
  size_t appended = f.append_until_offloaded(f.make_partition("orders"), 12 << 20);
  CHECK(appended > 4 << 20);
  CHECK(appended < 7 << 20);
}

TEST_CASE("an offload that fails is tried again, later each time, until the store takes it, and nothing is lost or stored twice") {
  OffloadFixture f;
  f.options.object_bytes = 64 << 10;
  f.start();
  PartitionId p = f.make_partition("orders");
  std::vector<MonotonicTime> tries;
  std::set<std::string> tried;
  f.store->set_faults([&](const MemoryObjectStore::Request& r) {
    if (r.verb != MemoryObjectStore::Verb::put || !r.key.starts_with("objects/")) return MemoryObjectStore::Fate{};
    tries.push_back(f.executor->now());
    tried.insert(std::string(r.key));
    return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503 SlowDown"}, MemoryObjectStore::Fate::Effect::none};
  });
  std::string expected;
  for (int i = 0; i < 8; i++, expected += kLine) REQUIRE(f.append(p, kLine));
  f.executor->advance(std::chrono::minutes(5));
  REQUIRE(tries.size() > 12);
  MonotonicTime full = milliseconds(200);
  for (size_t i = 1; i < tries.size(); i++, full = std::min<MonotonicTime>(full * 2, seconds(30))) {
    CAPTURE(i);
    CHECK(tries[i] - tries[i - 1] >= full / 2);
    CHECK(tries[i] - tries[i - 1] <= full);
  }
  CHECK(f.objects() == 0);
  CHECK(f.status().find("503 SlowDown") != std::string::npos);
  CHECK(f.read(p) == expected);
  f.store->set_faults({});
  f.executor->advance(seconds(31));
  CHECK(tried.size() == 1);
  CHECK(f.keys("objects/") == std::vector<std::string>(tried.begin(), tried.end()));
  CHECK(f.status().find("\"offload_last\": \"\"") != std::string::npos);
  f.stop();
  for (const auto& path : f.files.paths()) (void)f.files.remove(path);
  f.start();
  CHECK(f.read(f.partition("orders")) == expected);
}

TEST_CASE("what an object leaves out, because its topic is deleted, does not come back in part when the disk is lost") {
  OffloadFixture f;
  f.options.object_bytes = 1 << 20;
  f.start();
  PartitionId orders = f.make_partition("orders"), doomed = f.make_partition("doomed");
  f.append_until_offloaded(orders, 2 << 20);  // so that the store knows both topics
  f.settle();
  size_t before = f.objects();
  REQUIRE(before > 0);
  const Error gone{Errc::kUnavailable, 0, "503"};
  f.store->fail_next(MemoryObjectStore::Verb::put, gone, 1'000'000);
  for (int i = 0; i < 300; i++) REQUIRE(f.append(i % 2 ? doomed : orders, kLine));  // for three objects, of both
  f.engine->delete_topic(f.engine->find_topic("doomed")->id, OnlyEmpty::no, [](Result<void> r) { CHECK(r); });
  f.settle();
  f.store->fail_next(MemoryObjectStore::Verb::put, gone, 0);
  for (int i = 0; i < 1'000'000 && f.objects() < before + 2; i++) f.executor->run_next();
  REQUIRE(f.objects() == before + 2);  // the first was made before the deletion, the second after it
  f.power_cut();
  f.files.wipe();
  f.start();
  CHECK_FALSE(f.engine->find_topic("doomed"));
  CHECK(f.read(f.partition("orders")).size() > 1 << 20);
}

TEST_CASE("writers that are faster than the store") {
  OffloadFixture f;
  f.options.object_bytes = 1 << 20;
  f.options.pool_bytes = 8 << 20;
  bool is_quick = true;
  SUBCASE("wait for one that is quick, and nothing is read back") {}
  SUBCASE("do not wait for one that is slow: the log is the buffer") { is_quick = false; }
  const milliseconds latency(is_quick ? 2 : 30);  // for a megabyte
  f.start();
  PartitionId p = f.make_partition("orders");
  f.store->set_faults([&](const MemoryObjectStore::Request& r) {
    return MemoryObjectStore::Fate{r.verb == MemoryObjectStore::Verb::put ? latency : milliseconds(0), {}, {}};
  });
  std::string text;
  for (int i = 0; i < 20; i++) text += kLine;
  size_t answered = 0, waited = 0;
  constexpr size_t kWarmUp = 40, kAppends = 240;  // then 40 MB, at 2 GB/s
  for (size_t i = 0; i < kAppends; i++) {
    ByteSpan piece = as_byte_span(text);
    f.engine->append_text(p, {&piece, 1}, LastLine::complete, {}, [&](Result<Appended> r) {
      REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
      answered++;
    });
    f.executor->run_until_idle();
    waited += answered <= i;
    f.executor->advance(i < kWarmUp ? milliseconds(100) : std::chrono::microseconds(100));
  }
  CHECK((waited > 0) == is_quick);
  f.executor->advance(minutes(2));
  CHECK(answered == kAppends);
  CHECK((f.status().find("\"read_back_bytes\": 0,") != std::string::npos) == is_quick);
  std::string all = f.read(p);
  CHECK(all.size() == kAppends * text.size());
}
