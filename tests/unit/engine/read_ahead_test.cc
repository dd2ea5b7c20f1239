// What sequential readers of objects find in memory before they ask.
#include "engine/read_ahead.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr size_t kStep = 64 << 10;

/// An engine that has everything in objects, and nothing in its caches.
struct Fixture : EngineFixture {
  PartitionId id;
  std::string text;

  Fixture() {
    options.pool_bytes = 64 << 20;
    start();
    id = make_partition("orders");
    for (int i = 0; i < 200; i++) {
      std::string lines;
      for (int line = 0; line < 200; line++) lines += fmt::format("append {} line {} {:080}\n", i, line, 0);
      REQUIRE(append(id, lines));
      text += lines;
    }
    stop();
    files.wipe();
    start();
    id = partition("orders");
  }
  /// Answered before the verb returns?
  bool is_here(Offset from, Offset& next) { return is_here(id, from, next); }
  bool is_here(PartitionId partition, Offset from, Offset& next) {
    auto got = std::make_shared<std::optional<Result<Fetched>>>();
    engine->fetch(partition, from, kStep, [got](Result<Fetched> r) { *got = std::move(r); });
    const bool at_once = got->has_value();
    executor->run_until_idle();
    REQUIRE(got->has_value());
    REQUIRE(**got);
    for (ByteSpan rest = joined((*got)->value().batches); !rest.empty();) {
      auto header = BatchHeader::parse(rest);
      REQUIRE(header);
      next = header->next_offset();
      rest = rest.subspan(header->size_bytes());
    }
    return at_once;
  }
  ByteSpan joined(const Bytes& bytes) {
    buffer.clear();
    for (ByteSpan p : bytes.pieces) buffer.insert(buffer.end(), p.begin(), p.end());
    return buffer;
  }
  std::vector<std::byte> buffer;
  /// Topics like the first one, likewise in objects alone.
  std::vector<PartitionId> more_topics(int count) {
    for (int n = 0; n < count; n++) {
      PartitionId topic = make_partition(fmt::format("orders-{}", n));
      for (size_t at = 0; at < text.size(); at += kStep / 4) REQUIRE(append(topic, text.substr(at, kStep / 4)));
    }
    stop();
    files.wipe();
    start();
    std::vector<PartitionId> topics;
    for (int n = 0; n < count; n++) topics.push_back(partition(fmt::format("orders-{}", n)));
    return topics;
  }
  uint64_t loads() { return counter("ahead_loads"); }
  uint64_t counter(std::string_view name) {
    std::string status;
    engine->status([&](Result<std::string> r) { status = r.value(); });
    size_t at = status.find(fmt::format("\"{}\"", name));
    REQUIRE(at != std::string::npos);
    return std::stoull(status.substr(status.find(':', at) + 1));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a consumer that goes on where it ended finds its batches in memory") {
  int waited = 0, reads = 0;
  const Offset end = engine->ends(id)->durable_end;
  for (Offset at; at < end; reads++) {
    Offset next = at;
    if (!is_here(at, next)) waited++;
    REQUIRE(next > at);
    at = next;
  }
  REQUIRE(reads > 40);
  CHECK(waited <= 3);
  CHECK(loads() > 0);
}

TEST_CASE_FIXTURE(Fixture, "a file that is read from its beginning to its end is got ahead, and is what was appended") {
  CHECK(read(id, kStep) == text);
  CHECK(loads() > 0);
}

TEST_CASE_FIXTURE(Fixture, "for a reader that jumps about nothing is got ahead") {
  const Offset end = engine->ends(id)->durable_end;
  SeededRandom r(7);
  for (int i = 0; i < 50; i++) {
    Offset next, from(static_cast<int64_t>(r.below(static_cast<uint64_t>(end.v))));
    is_here(from, next);
  }
  CHECK(loads() == 0);
}

TEST_CASE_FIXTURE(Fixture, "readers that go away leave no claim on the room of the others") {
  for (uint64_t n = 0; n < 3 * ReadAhead::kMaxReaders; n++) {
    // Each at a place of its own: two reads that belong together, and then no more.
    Offset from(static_cast<int64_t>(n * 11)), next;
    is_here(from, next);
    is_here(next, next);
  }
  const Offset end = engine->ends(id)->durable_end;
  uint64_t before = loads();
  for (Offset at(1); at < end;) is_here(at, at);
  CHECK(loads() > before);
}

TEST_CASE_FIXTURE(Fixture, "readers share the room: none of them waits because another has it all") {
  const auto topics = more_topics(4);
  std::vector<Offset> at(topics.size());
  std::vector<int> waited(topics.size());
  for (int round = 0; round < 50; round++)
    for (size_t n = 0; n < topics.size(); n++)
      if (!is_here(topics[n], at[n], at[n])) waited[n]++;
  for (int w : waited) CHECK(w <= 3);
}

TEST_CASE_FIXTURE(Fixture, "readers that stopped lose their share to those who go on") {
  const auto topics = more_topics(4);
  for (size_t n = 0; n + 1 < topics.size(); n++) {
    Offset at;
    for (int step = 0; step < 12; step++) is_here(topics[n], at, at);
  }
  CHECK(counter("ahead_pending_bytes") > 0);
  const Offset end = engine->ends(topics.back())->durable_end;
  for (int again = 0; again < 3; again++)
    for (Offset at; at < end;) is_here(topics.back(), at, at);
  CHECK(counter("ahead_pending_bytes") == 0);
}
