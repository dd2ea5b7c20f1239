// A log that has failed: what was durable in it goes to the store, where a start without this disk finds it.
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const Error kBroken{Errc::kIo, 5, "write"}, kGone{Errc::kUnavailable, 0, "503"};
constexpr std::string_view kSaved = "all that was acknowledged before is in ";

std::string line(int n) { return std::to_string(n) + std::string(9'990, 'x') + "\n"; }

struct RescueFixture : EngineFixture {
  std::string acknowledged;

  /// Nothing is offloaded before the log fails; then it takes `objects` of them.
  explicit RescueFixture(int objects = 3) {
    options.object_bytes = 1 << 20;
    options.offload_interval = std::chrono::hours(10);
    start();
    make_partition("orders");
    store->fail_next(MemoryObjectStore::Verb::put, kGone, 1'000'000);
    for (int i = 0; acknowledged.size() + 100'000 < options.object_bytes * static_cast<size_t>(objects); i++) {
      REQUIRE(append(partition("orders"), line(i)));
      acknowledged += line(i);
    }
  }
  void store_is_back() { store->fail_next(MemoryObjectStore::Verb::put, kGone, 0); }
  void fail_log() {
    files.fail_writes("segment", kBroken, 1);
    auto failed = append(partition("orders"), "in doubt\n");
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::kReadOnly);
  }
  std::string stop_message() {
    std::string message = "not ended";
    engine->stop(executor->now() + minutes(2), [&](Result<void> r) { message = r ? "no error" : r.error().message(); });
    executor->advance(minutes(3));
    kill();
    return message;
  }
  /// The whole course of it; the keys of the objects.
  std::vector<std::string> rescue() {
    store_is_back();
    fail_log();
    CHECK(stop_message().find(kSaved) != std::string::npos);
    options.offload_interval = seconds(10);
    return keys("objects/");
  }
  size_t objects() { return keys("objects/").size(); }
};

}  // namespace

TEST_CASE("what was durable when the log failed goes to the store at once, and is found from there without the disk") {
  RescueFixture f;
  f.store_is_back();
  f.fail_log();
  f.executor->advance(minutes(1));
  CHECK(f.objects() >= 3);
  CHECK(f.read(f.partition("orders")).starts_with(f.acknowledged));
  CHECK(f.stop_message().find(kSaved) != std::string::npos);
  f.files.wipe();
  f.start();
  CHECK(f.read(f.partition("orders")) == f.acknowledged);
  REQUIRE(f.append(f.partition("orders"), "goes on\n"));
  f.stop();
  f.files.wipe();
  f.start();
  CHECK(f.read(f.partition("orders")) == f.acknowledged + "goes on\n");
}

TEST_CASE("a disk that takes nothing any more, not even a checkpoint, keeps nothing from the store") {
  RescueFixture f;
  f.store_is_back();
  f.files.set_faults([](const DiskRequest& q) {
    return q.operation == DiskOperation::write || q.operation == DiskOperation::sync ? DiskFate{kBroken, DiskFate::Effect::none} : DiskFate{};
  }, [] { return false; });
  REQUIRE_FALSE(f.append(f.partition("orders"), "in doubt\n"));
  CHECK(f.stop_message().find(kSaved) != std::string::npos);
  f.files.set_faults({}, {});
  f.files.wipe();
  f.start();
  CHECK(f.read(f.partition("orders")) == f.acknowledged);
}

TEST_CASE("topics, settings and log starts that were acknowledged before the log failed are rescued too") {
  RescueFixture f(1);
  PartitionId p = f.partition("orders");
  f.make_partition("later", 3);
  CHECK(f.delete_records(p, 5) == Offset(5));
  f.rescue();
  f.files.wipe();
  f.start();
  REQUIRE(f.engine->find_topic("later"));
  CHECK(f.engine->find_topic("later")->partitions.size() == 3);
  CHECK(f.engine->ends(f.partition("orders"))->log_start == Offset(5));
}

TEST_CASE("a store that is gone when the log fails gets what was durable when it is back") {
  RescueFixture f;
  f.fail_log();
  f.executor->advance(minutes(5));
  CHECK(f.objects() == 0);
  f.store_is_back();
  f.executor->advance(minutes(2));
  CHECK(f.objects() >= 3);
  CHECK(f.stop_message().find(kSaved) != std::string::npos);
}

TEST_CASE("an engine that ends before its rescue is over says how much is in the log alone") {
  RescueFixture f;
  f.fail_log();
  std::string message = f.stop_message();
  CHECK(message.find("bytes of what was acknowledged before are not in ") != std::string::npos);
  CHECK(f.objects() == 0);
  f.start();
  CHECK(f.read(f.partition("orders")).starts_with(f.acknowledged));
}

TEST_CASE("a start from the log, after a rescue, has everything once, and the rescued objects go") {
  RescueFixture f(5);
  auto rescued = f.rescue();
  REQUIRE(rescued.size() >= 4);
  f.start();
  std::string all = f.read(f.partition("orders"));
  CHECK(all.starts_with(f.acknowledged));
  CHECK(all.size() - f.acknowledged.size() <= std::string("in doubt\n").size());
  REQUIRE(f.append(f.partition("orders"), line(1000)));
  f.executor->advance(minutes(30));
  CHECK(f.objects() >= 4);
  for (const std::string& key : rescued)
    CHECK_MESSAGE(f.stored().count(key) == 0, key);
  f.stop();
  f.files.wipe();
  f.start();
  CHECK(f.read(f.partition("orders")) == all + line(1000));
}

TEST_CASE("rescued objects go though the daemon was started several times before one could write to the store") {
  RescueFixture f(5);
  auto rescued = f.rescue();
  REQUIRE(rescued.size() >= 4);
  for (int i = 0; i < 3; i++) {
    f.start();
    f.power_cut();
  }
  f.start();
  REQUIRE(f.append(f.partition("orders"), line(1000)));
  f.executor->advance(minutes(30));
  CHECK(f.objects() >= 4);
  for (const std::string& key : rescued)
    CHECK_MESSAGE(f.stored().count(key) == 0, key);
}
