// What an append costs in memory: nothing is allocated for it, and its payload is copied once, into the pool, from
// where it is written. This program counts what all of its threads allocate with `new` and copy with memcpy, memmove or
// crc32c_copy (which the linker leads here, see meson.build), so that an allocation or a copy more for each append is seen.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "object/dir/dir_store.h"
#include "support/batches.h"
#include "support/real_engine.h"
#include "support/temporary_directory.h"
#include "unit/engine/engine_fixture.h"

namespace {

std::atomic<uint64_t> allocations{0}, copied_bytes{0};

/// Shorter copies are of fields and headers.
constexpr size_t kCountedCopyBytes = 64;

void* counted(size_t size, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* bytes = alignment <= alignof(std::max_align_t)
                    ? std::malloc(size)
                    : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!bytes) std::abort();
  return bytes;
}

thread_local bool copies_are_counted = true;

void count_copy(size_t size) {
  if (copies_are_counted && size >= kCountedCopyBytes) copied_bytes.fetch_add(size, std::memory_order_relaxed);
}

}  // namespace

void* operator new(size_t size) { return counted(size, 0); }
void* operator new[](size_t size) { return counted(size, 0); }
void* operator new(size_t size, std::align_val_t alignment) { return counted(size, static_cast<size_t>(alignment)); }
void* operator new[](size_t size, std::align_val_t alignment) { return counted(size, static_cast<size_t>(alignment)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return counted(size, 0); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return counted(size, 0); }
void operator delete(void* bytes) noexcept { std::free(bytes); }
void operator delete[](void* bytes) noexcept { std::free(bytes); }
void operator delete(void* bytes, size_t) noexcept { std::free(bytes); }
void operator delete[](void* bytes, size_t) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::align_val_t) noexcept { std::free(bytes); }
void operator delete[](void* bytes, std::align_val_t) noexcept { std::free(bytes); }
void operator delete(void* bytes, size_t, std::align_val_t) noexcept { std::free(bytes); }
void operator delete[](void* bytes, size_t, std::align_val_t) noexcept { std::free(bytes); }

extern "C" {
void* __real_memcpy(void* to, const void* from, size_t size);
void* __real_memmove(void* to, const void* from, size_t size);
void* __wrap_memcpy(void* to, const void* from, size_t size) {
  count_copy(size);
  return __real_memcpy(to, from, size);
}
void* __wrap_memmove(void* to, const void* from, size_t size) {
  count_copy(size);
  return __real_memmove(to, from, size);
}
}

// crc32c_copy, as the compiler names it.
#define TOPICFS_CRC32C_COPY "_ZN7topicfs11crc32c_copyEPSt4byteSt4spanIKS0_Lm18446744073709551615EEj"
uint32_t real_crc32c_copy(std::byte* to, topicfs::ByteSpan from, uint32_t seed) asm("__real_" TOPICFS_CRC32C_COPY);
uint32_t wrap_crc32c_copy(std::byte* to, topicfs::ByteSpan from, uint32_t seed) asm("__wrap_" TOPICFS_CRC32C_COPY);
uint32_t wrap_crc32c_copy(std::byte* to, topicfs::ByteSpan from, uint32_t seed) {
  count_copy(from.size());
  copies_are_counted = false;  // those that it is made of
  uint32_t crc = real_crc32c_copy(to, from, seed);
  copies_are_counted = true;
  return crc;
}

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr size_t kAppends = 10'000, kRound = 1000;

struct Counts {
  uint64_t allocations = ::allocations.load(), copied_bytes = ::copied_bytes.load();
};
Counts since(const Counts& before) {
  Counts now;
  return {now.allocations - before.allocations, now.copied_bytes - before.copied_bytes};
}

/// Commits only when it is asked for, or when one is full, and offloads nothing: what is counted does not depend on how
/// fast this runs.
EngineOptions unhurried(const std::string& directory) {
  EngineOptions o;
  o.data_dir = directory + "/data";
  o.wal_segment_bytes = 16 << 20;
  o.wal_max_bytes = o.pool_bytes = o.object_bytes = 256 << 20;
  o.wal_sync_interval = o.offload_interval = std::chrono::hours(1);
  return o;
}

std::string lines(size_t count, size_t bytes) {
  std::string all;
  for (size_t i = 0; i < count; i++) all += std::string(bytes / count - 1, static_cast<char>('a' + i % 26)) + "\n";
  return all;
}

/// One record of about `bytes`; of an idempotent producer, if it has a sequence.
std::string batch_of(size_t bytes, std::optional<int32_t> sequence = {}) {
  BatchHeader header;
  header.base_timestamp = 1'700'000'000'000;
  if (sequence) header.producer_id = 1, header.producer_epoch = 0, header.base_sequence = *sequence;
  return encode_batch(header, std::vector<TestRecord>{{std::string(bytes, 'v')}});
}

struct Threads {
  TemporaryDirectory directory;
  RealEngine engine{unhurried(directory.path()), [this] {
                      auto opened = DirStore::open(directory.path() + "/store");
                      REQUIRE(opened);
                      return std::move(*opened);
                    }()};
  PartitionId partition = engine.make_topic("t", 1)[0];
  std::atomic<size_t> answered{0}, failed{0};

  Completion<Appended> answer() {
    return [this](Result<Appended> r) { (r ? answered : failed)++; };
  }
  void append_text(std::string_view text) {
    ByteSpan piece = as_byte_span(text);
    engine->append_text(partition, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes}, answer());
  }
  void append_batch(std::string_view batch) {
    engine->append_batch(partition, as_byte_span(batch), {Ack::buffered, Wait::yes}, answer());
  }
  /// kAppends of them when as many have warmed it up, a sync behind each round. What all threads did meanwhile.
  template <class Append>
  Counts count(Append append) {
    Counts begin;
    for (size_t i = 0; i < 2 * kAppends; i++) {
      if (i == kAppends) begin = {};
      append(i);
      if (i % kRound == kRound - 1) REQUIRE(RealEngine::wait_for<void>([&](auto done) { engine->sync(partition, std::move(done)); }));
    }
    Counts counts = since(begin);
    CHECK(failed == 0);
    CHECK(answered == 2 * kAppends);
    MESSAGE(counts.allocations, " allocations and ", counts.copied_bytes, " bytes copied by ", kAppends, " appends");
    return counts;
  }
};

/// Many appends wait for one commit, on a disk and with a clock that stand still meanwhile.
struct Waiters : EngineFixture {
  size_t answered = 0;

  Waiters() {
    options = unhurried("");
    options.wal_sync_interval = std::chrono::milliseconds(2);
    start();
  }
  /// kAppends durable ones when as many have warmed it up, kRound to a commit or two.
  template <class Append>
  Counts count(Append append) {
    Counts begin;
    for (size_t i = 0; i < 2 * kAppends; i++) {
      if (i == kAppends) begin = {};
      append(i, [this](Result<Appended> r) { answered += r ? 1 : 0; });
      if (i % kRound == kRound - 1) settle();
    }
    Counts counts = since(begin);
    CHECK(answered == 2 * kAppends);
    MESSAGE(counts.allocations, " allocations by ", kAppends, " appends");
    return counts;
  }
};

void check_copied_once(const Counts& counts, size_t payload_bytes) {
  CHECK(counts.copied_bytes >= payload_bytes * 9 / 10);
  CHECK(counts.copied_bytes < payload_bytes * 3 / 2);
}

}  // namespace

TEST_CASE("the counters see an allocation and a copy") {
  std::vector<char> from(1000, 'x');
  volatile size_t size = from.size();
  Counts before;
  std::vector<char> to(size);
  std::memcpy(to.data(), from.data(), size);
  Counts counts = since(before);
  CHECK(to == from);
  CHECK(counts.allocations == 1);
  CHECK(counts.copied_bytes == 1000);
}

TEST_CASE("an append of a line allocates nothing and is copied once") {
  Threads t;
  const std::string line = lines(1, 100);
  Counts counts = t.count([&](size_t) { t.append_text(line); });
  CHECK(counts.allocations < kAppends / 10);
  check_copied_once(counts, kAppends * 100);
}

TEST_CASE("an append of 4 KiB of text allocates nothing and is copied once") {
  for (size_t count : {1, 40}) {
    Threads t;
    const std::string text = lines(count, 4096);
    Counts counts = t.count([&](size_t) { t.append_text(text); });
    CHECK(counts.allocations < kAppends / 10);
    check_copied_once(counts, kAppends * 4096);
  }
}

// The partition's index takes memory for six batches at once.
TEST_CASE("an append of a Kafka batch of 1 KiB allocates nothing but its place in the index, and is copied once") {
  for (bool idempotent : {false, true}) {
    Threads t;
    std::vector<std::string> batches;
    for (size_t i = 0; i < 2 * kAppends; i++)
      batches.push_back(batch_of(1024, idempotent ? std::optional(static_cast<int32_t>(i)) : std::nullopt));
    Counts counts = t.count([&](size_t i) { t.append_batch(batches[i]); });
    CHECK(counts.allocations < kAppends / 4);
    check_copied_once(counts, kAppends * 1024);
  }
}

TEST_CASE("nor does an append that waits until it is durable allocate, nor its answer") {
  Waiters t;
  PartitionId p = t.make_partition("orders");
  const std::string line = lines(1, 100), batch = batch_of(1024);
  ByteSpan piece = as_byte_span(line);
  Counts counts = t.count([&](size_t, Completion<Appended> done) {
    t.engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::durable, Wait::yes}, std::move(done));
  });
  CHECK(counts.allocations < kAppends / 10);
  t.answered = 0;
  counts = t.count([&](size_t, Completion<Appended> done) {
    t.engine->append_batch(p, as_byte_span(batch), {Ack::durable, Wait::yes}, std::move(done));
  });
  CHECK(counts.allocations < kAppends / 4);
}
