// How an offload comes by its bytes.
#include "engine/batch_gather.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr int kPartitions = 4, kAppends = 800;
constexpr size_t kBytes = 8 << 10;

struct Fixture : EngineFixture {
  uint64_t reads = 0;

  Fixture() {
    options.object_bytes = 64 << 20;
    options.offload_interval = std::chrono::hours(10);
    files.set_faults(
        [this](const DiskRequest& request) {
          if (request.operation == DiskOperation::read && request.path.find("segment-") != std::string_view::npos) reads++;
          return DiskFate{};
        },
        [] { return false; });
  }
  std::string line(int n) { return fmt::format("{:0{}}\n", n, kBytes); }
  void append_everywhere(PartitionId first) {
    store->set_faults([](const MemoryObjectStore::Request&) {
      MemoryObjectStore::Fate fate;
      fate.error = {Errc::kUnavailable, 0, "not now"};
      fate.effect = MemoryObjectStore::Fate::Effect::none;
      return fate;
    });
    for (int n = 0; n < kAppends; n++) {
      const PartitionId p(first.v + static_cast<uint32_t>(n % kPartitions));
      REQUIRE(append(p, line(n), n % 8 == 7 ? Ack::durable : Ack::buffered));
    }
    store->set_faults({});
    reads = 0;
  }
  void check_everything() {
    for (int p = 0; p < kPartitions; p++) {
      std::string expected;
      for (int n = p; n < kAppends; n += kPartitions) expected += line(n);
      CHECK(read(partition("orders", static_cast<size_t>(p))) == expected);
    }
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "batches that memory has given up are read back in large pieces, whatever partition they are of") {
  options.pool_bytes = 1 << 20;
  start();
  append_everywhere(make_partition("orders", kPartitions));
  stop();
  CHECK(reads > 0);
  CHECK(reads < kAppends / 20);
  files.wipe();
  start();
  check_everything();
}

TEST_CASE_FIXTURE(Fixture, "what is in memory is not read back, though more of it than an offload may hold back") {
  options.pool_bytes = 16 << 20;
  start();
  append_everywhere(make_partition("orders", kPartitions));
  stop();
  CHECK(reads == 0);
  files.wipe();
  start();
  check_everything();
}

TEST_CASE_FIXTURE(Fixture, "an object of what memory has given up is small enough to be read back into the heap") {
  options.pool_bytes = 16 << 20;
  options.wal_segment_bytes = 4 << 20;
  options.wal_max_bytes = 128 << 20;
  start();
  const PartitionId id = make_partition("orders");
  store->fail_next(MemoryObjectStore::Verb::put, {Errc::kUnavailable, 0, "not now"}, 1'000'000);
  std::string expected;
  for (int n = 0; n < 100; n++) {
    const std::string large = fmt::format("{:0600000}\n", n);
    REQUIRE(append(id, large, Ack::durable));
    expected += large;
  }
  store->fail_next(MemoryObjectStore::Verb::put, {Errc::kUnavailable, 0, "not now"}, 0);
  stop();
  size_t objects = 0;
  for (const auto& [key, bytes] : stored()) {
    if (!key.starts_with("objects/")) continue;
    objects++;
    CHECK(bytes->size() < 26 << 20);
  }
  CHECK(objects >= 3);
  files.wipe();
  start();
  CHECK(read(partition("orders")) == expected);
}
