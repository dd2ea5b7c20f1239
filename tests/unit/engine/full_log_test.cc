// A log that is full because the store takes nothing: what is kept in it for its own records stays theirs, or the log
// could not be relieved when the store is back.
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr size_t kBlocks = 256;  // of a segment

struct FullLog : EngineFixture {
  std::string expected;

  FullLog() {
    options.wal_segment_bytes = 1 << 20;
    options.wal_max_bytes = 6 << 20;
    options.offload_interval = std::chrono::seconds(1);
    options.append_timeout = std::chrono::seconds(3);
    faults = [this](const MemoryObjectStore::Request& r) {
      if (!gone || r.verb != MemoryObjectStore::Verb::put || !r.key.starts_with("objects/")) return MemoryObjectStore::Fate{};
      return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
    };
    start();
  }
  bool gone = false;

  /// A commit of its own, a block long. False: there is no room.
  bool append_block(PartitionId p) {
    const std::string line = std::to_string(expected.size()) + "\n";
    ByteSpan piece = as_byte_span(line);
    std::optional<Result<Appended>> answer;
    engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::durable, Wait::no},
                        [&](Result<Appended> r) { answer = std::move(r); });
    executor->run_until_idle();
    REQUIRE(answer);
    if (*answer) expected += line;
    else CHECK(answer->error().code == Errc::kWouldBlock);
    return answer->has_value();
  }
  size_t append_blocks(PartitionId p) {
    for (size_t n = 0;; n++) {
      REQUIRE(n < 6 * kBlocks);
      if (!append_block(p)) return n;
    }
  }
};

}  // namespace

TEST_CASE("what users change of topics takes half of that segment, and the log goes on when the store is back") {
  FullLog f;
  PartitionId p = f.make_partition("orders");
  f.gone = true;
  f.append_blocks(p);
  size_t changes = 0;
  for (std::optional<Result<TopicPtr>> done; !done || *done; changes++) {
    REQUIRE(changes < 2 * kBlocks);
    done.reset();
    f.engine->change_settings(f.engine->find_topic("orders")->id, {{"retention.ms", std::to_string(1'000'000 + changes)}},
                              [&](Result<TopicPtr> r) { done = std::move(r); });
    f.executor->run_until_idle();
    REQUIRE(done);
    if (!*done) CHECK(done->error().code == Errc::kFull);
  }
  CHECK(changes > kBlocks / 4);
  f.gone = false;
  f.executor->advance(std::chrono::seconds(60));
  CHECK(f.append_block(p));
  f.make_partition("another");
  CHECK(f.read(p) == f.expected);
}

TEST_CASE("appends leave the segment that is kept for the log's own records alone, also when it has been begun") {
  FullLog f;
  PartitionId p = f.make_partition("orders");
  f.gone = true;
  CHECK(f.append_blocks(p) > 4 * kBlocks);
  f.make_partition("another");  // such a record
  for (size_t n = 0; n < 2 * kBlocks; n++) CHECK_FALSE(f.append_block(p));
  f.make_partition("one-more");
  SUBCASE("and go on by themselves when the store is back") {
    auto waiting = std::make_shared<std::optional<Result<Appended>>>();
    ByteSpan piece = as_byte_span("waiting\n");
    f.executor->advance(std::chrono::seconds(20));
    f.gone = false;
    for (int tries = 0; !*waiting || !**waiting; tries++) {
      REQUIRE(tries < 20);
      waiting->reset();
      f.engine->append_text(p, {&piece, 1}, LastLine::complete, {},
                            [waiting](Result<Appended> r) { *waiting = std::move(r); });
      f.executor->advance(std::chrono::seconds(4));
      REQUIRE(*waiting);
    }
    f.expected += "waiting\n";
  }
  SUBCASE("and after a restart, which makes room for those records again") {
    f.power_cut();
    f.start();
    p = f.partition("orders");
    CHECK_FALSE(f.append_block(p));
    f.make_partition("after");
    CHECK_FALSE(f.append_block(p));
    f.gone = false;
    f.executor->advance(std::chrono::seconds(60));
    CHECK(f.append_block(p));
  }
  CHECK(f.read(p) == f.expected);
}

TEST_CASE("who finds no room because the disk hangs is told so, and nothing is lost when it goes on") {
  EngineFixture f;
  f.options.append_timeout = std::chrono::seconds(3);
  f.start();
  PartitionId p = f.make_partition("orders");
  f.device->hang(true);
  const std::string line(256 << 10, 'x');
  std::string expected;
  std::vector<Error> refused;
  for (size_t i = 0; i < 2 * f.options.pool_bytes / line.size(); i++) {
    const std::string text = line + std::to_string(i) + "\n";
    const ByteSpan piece = as_byte_span(text);
    f.engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes}, [&, text](Result<Appended> r) {
      if (r) expected += text;
      else refused.push_back(r.error());
    });
  }
  f.executor->advance(std::chrono::milliseconds(2'900));
  CHECK(refused.empty());
  const size_t appended = expected.size();
  CHECK(appended > 0);
  f.executor->advance(std::chrono::milliseconds(200));
  REQUIRE(!refused.empty());
  for (const Error& e : refused) {
    CHECK(e.code == Errc::kTimedOut);
    CHECK_MESSAGE(e.message().find("the disk has been at one write of the log for 3") != std::string::npos, e.message());
  }
  CHECK(expected.size() == appended);
  f.device->hang(false);
  f.settle();
  REQUIRE(f.append(p, "after it\n"));
  CHECK(f.read(p) == expected + "after it\n");
  f.kill();
}
