// When the log commits, and what it counts.
#include <rapidjson/document.h>

#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;
using std::chrono::milliseconds;

namespace {

struct CommitFixture : EngineFixture {
  void append_buffered(PartitionId p, std::string_view text) {
    ByteSpan piece = as_byte_span(text);
    engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes}, [](Result<Appended> r) { CHECK(r); });
    executor->run_until_idle();
  }
  /// A counter of the status, by its group and name.
  uint64_t count(const char* group, const char* name) {
    rapidjson::Document json;
    json.Parse(status().c_str());
    REQUIRE(json.HasMember(group));
    REQUIRE(json[group].HasMember(name));
    return json[group][name].GetUint64();
  }
  double ratio(const char* group, const char* name) {
    rapidjson::Document json;
    json.Parse(status().c_str());
    return json[group][name].GetDouble();
  }
};

}  // namespace

TEST_CASE("what nobody waits for is on the disk after wal_sync_interval, with what came meanwhile, and not before") {
  for (auto interval : {milliseconds(2), milliseconds(20)}) {
    CommitFixture f;
    f.options.wal_sync_interval = interval;
    f.start();
    PartitionId p = f.make_partition("orders", 2);
    const uint64_t before = f.device->writes();
    f.append_buffered(p, "first\n");
    f.executor->advance(interval / 2);
    f.append_buffered(f.partition("orders", 1), "second\n");
    f.executor->advance(interval / 2 - std::chrono::nanoseconds(1));
    CHECK(f.device->writes() == before);
    f.executor->advance(milliseconds(1));
    CHECK(f.device->writes() == before + 1);
    f.power_cut();
    f.start();
    CHECK(f.read(f.partition("orders")) == "first\n");
    CHECK(f.read(f.partition("orders", 1)) == "second\n");
  }
}

TEST_CASE("a larger wal_sync_interval puts more of what nobody waits for into a commit, 0 puts each append into its own") {
  constexpr milliseconds kIntervals[] = {milliseconds(0), milliseconds(2), milliseconds(20), milliseconds(200)};
  constexpr uint64_t kAppends = 400;
  uint64_t commits[std::size(kIntervals)];
  double appends_per_commit[std::size(kIntervals)];
  for (size_t i = 0; i < std::size(kIntervals); i++) {
    CommitFixture f;
    f.options.wal_sync_interval = kIntervals[i];
    f.start();
    PartitionId p = f.make_partition("orders");
    const uint64_t before = f.count("log", "commits") - f.count("log", "closing_commits");
    for (uint64_t n = 0; n < kAppends; n++) {
      f.append_buffered(p, "a line\n");
      f.executor->advance(std::chrono::microseconds(500));
    }
    f.executor->advance(2 * kIntervals[i]);
    commits[i] = f.count("log", "commits") - f.count("log", "closing_commits") - before;
    appends_per_commit[i] = f.ratio("log", "appends_per_commit");
    f.power_cut();
    f.start();
    CHECK(f.read(f.partition("orders")).size() == kAppends * 7);
  }
  CHECK(commits[0] == kAppends);
  for (size_t i = 1; i < std::size(kIntervals); i++) {
    CHECK(commits[i] <= commits[i - 1] / 4);
    CHECK(appends_per_commit[i] > appends_per_commit[i - 1]);
  }
}

TEST_CASE("with a large wal_sync_interval those who come back one by one share a commit; who is alone waits with none") {
  auto commits_of_a_second_round = [](milliseconds interval) {
    CommitFixture f;
    f.options.wal_sync_interval = interval;
    f.start();
    PartitionId p = f.make_partition("orders");
    for (int i = 0; i < 3; i++) REQUIRE(f.append(p, "alone\n"));  // while time stands still
    int answered = 0;
    uint64_t before = 0;
    for (int n = 0; n < 2 * 100; n++) {
      const std::string text = std::to_string(n) + "\n";
      ByteSpan piece = as_byte_span(text);
      f.engine->append_text(p, {&piece, 1}, LastLine::complete, {}, [&](Result<Appended> r) { answered += r ? 1 : 0; });
      if (n < 99) continue;  // the first round comes at once
      f.executor->advance(std::chrono::microseconds(10));
      if (n == 99) before = f.device->writes();
    }
    f.settle();
    CHECK(answered == 2 * 100);
    const uint64_t commits = f.device->writes() - before;
    CHECK(f.append(p, "alone again, long after the others\n"));  // while time stands still
    return commits;
  };
  CHECK(commits_of_a_second_round(milliseconds(0)) >= 100);
  CHECK(commits_of_a_second_round(milliseconds(200)) <= 3);  // and an empty one
}

TEST_CASE("the status counts appends, commits, payload and padding") {
  CommitFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  const uint64_t appends = f.count("appends", "placed"), commits = f.count("log", "commits"),
                 closing = f.count("log", "closing_commits"), entries = f.count("log", "entries"),
                 payload = f.count("log", "payload_bytes"), padding = f.count("log", "padding_bytes");
  for (int i = 0; i < 10; i++) REQUIRE(f.append(p, "a line\n"));  // a commit each
  CHECK(f.count("appends", "placed") == appends + 10);
  CHECK(f.count("log", "commits") == commits + 10);
  CHECK(f.count("log", "entries") == entries + 10);
  const uint64_t each = (f.count("log", "payload_bytes") - payload) / 10;
  CHECK(each >= wal::entry_footprint(kBatchHeaderBytes + 7));
  CHECK(each < 200);
  CHECK(f.count("log", "padding_bytes") - padding == 10 * (wal::kBlockBytes - each));  // the rest of a block each
  for (int i = 0; i < 100; i++) f.append_buffered(p, "one of many\n");  // in one batch, in one commit
  f.settle();
  CHECK(f.count("appends", "placed") == appends + 110);
  CHECK(f.count("log", "entries") == entries + 11);
  CHECK(f.count("log", "closing_commits") == closing + 1);
  CHECK(f.count("log", "commits") == commits + 12);
  CHECK(f.ratio("log", "appends_per_commit") ==
        doctest::Approx(static_cast<double>(appends + 110) / static_cast<double>(commits + 12)));
}

TEST_CASE("the status counts appends, those that share an entry too, and names the formats that are written") {
  CommitFixture f;
  f.start();
  f.make_partition("orders");
  f.settle();
  const uint64_t before = f.count("appends", "placed");
  for (int i = 0; i < 100; i++) REQUIRE(f.append(f.partition("orders"), "a line\n", Ack::buffered));
  CHECK(f.count("appends", "placed") == before + 100);
  CHECK(f.status().find("\"store\": 0") != std::string::npos);  // what a new store lacks is no error
  CHECK(f.status().find("\"formats\": {\n    \"log\": 1,\n    \"object\": 1,\n    \"checkpoint\": 3\n  }") != std::string::npos);
}
