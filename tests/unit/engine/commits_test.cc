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
