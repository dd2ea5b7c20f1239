// The log start: what moves it, what readers see of it, and what is left of it after a crash.
#include "record/batch.h"
#include "support/batches.h"
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

std::string lines(int from, int to) {
  std::string all;
  for (int i = from; i < to; i++) all += "line " + std::to_string(i) + "\n";
  return all;
}

/// Five batches of three records.
PartitionId five_batches(EngineFixture& f, const std::string& topic = "orders") {
  PartitionId p = f.make_partition(topic);
  for (int i = 0; i < 5; i++) {
    REQUIRE(f.append(p, lines(3 * i, 3 * i + 3)));
    f.settle();
  }
  return p;
}

Result<Fetched> fetch(EngineFixture& f, PartitionId p, int64_t from) {
  Result<Fetched> outcome = fail(Errc::kTimedOut, "not answered");
  f.engine->fetch(p, Offset(from), 1, [&](Result<Fetched> r) { outcome = std::move(r); });
  f.settle();
  return outcome;
}

void lose_data_directory(EngineFixture& f) {
  for (const auto& path : f.files.paths()) (void)f.files.remove(path);
}

}  // namespace

TEST_CASE("a log start within a batch hides the records before it from both doors") {
  EngineFixture f;
  f.start();
  PartitionId p = five_batches(f);
  CHECK(f.delete_records(p, 7).value() == Offset(7));
  PartitionEnds ends = *f.engine->ends(p);
  CHECK(ends.log_start == Offset(7));
  CHECK(ends.text_start == TextPosition(static_cast<int64_t>(lines(0, 7).size())));
  CHECK(ends.text_end == TextPosition(static_cast<int64_t>(lines(0, 15).size())));
  CHECK(f.read(p) == lines(7, 15));
  auto below = fetch(f, p, 6);
  REQUIRE_FALSE(below);
  CHECK(below.error().code == Errc::kOutOfRange);
  auto at = fetch(f, p, 7);
  REQUIRE(at);
  CHECK(BatchHeader::parse(at->batches.pieces[0])->base_offset == Offset(6));  // whole batches, as Kafka
  std::optional<Result<TextRead>> text;
  f.engine->read_text(p, ends.text_start - 1, 10, [&](Result<TextRead> r) { text = std::move(r); });
  f.settle();
  REQUIRE_FALSE(*text);
  CHECK(text->error().code == Errc::kOutOfRange);

  SUBCASE("it never moves back") {
    CHECK(f.delete_records(p, 4).value() == Offset(7));
    CHECK(f.delete_records(p, 0).value() == Offset(7));
    CHECK(f.engine->ends(p)->log_start == Offset(7));
  }
  SUBCASE("and an append goes on as before") {
    auto more = f.append(p, "more\n");
    REQUIRE(more);
    CHECK(more->base_offset == Offset(15));
    CHECK(more->log_start == Offset(7));
    CHECK(f.read(p) == lines(7, 15) + "more\n");
  }
}

TEST_CASE("all that is durable can be deleted, and nothing beyond it") {
  EngineFixture f;
  f.start();
  PartitionId p = five_batches(f);
  for (int64_t bad : {16, -2}) {
    auto refused = f.delete_records(p, bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::kOutOfRange);
  }
  CHECK(f.delete_records(p, -1).value() == Offset(15));
  PartitionEnds ends = *f.engine->ends(p);
  CHECK(ends.text_start == ends.text_end);
  CHECK(ends.retained_bytes == 0);
  CHECK(f.read(p) == "");
  REQUIRE(f.append(p, "more\n"));
  CHECK(f.read(p) == "more\n");
  CHECK(f.engine->ends(p)->retained_bytes > 0);
  CHECK_FALSE(f.delete_records(PartitionId(77), 0));
}

TEST_CASE("what is not durable yet is not deleted") {
  EngineFixture f;
  f.start();
  PartitionId p = five_batches(f);
  ByteSpan piece = as_byte_span("in doubt\n");
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes}, [](Result<Appended>) {});
  std::optional<Result<Offset>> deleted;
  f.engine->delete_records(p, Offset(16), [&](Result<Offset> r) { deleted = std::move(r); });
  REQUIRE(deleted);
  CHECK_FALSE(*deleted);
  f.engine->delete_records(p, Engine::kDurableEnd, [&](Result<Offset> r) { deleted = std::move(r); });
  f.settle();
  CHECK(deleted->value() == Offset(15));
  CHECK(f.read(p) == "in doubt\n");
}

TEST_CASE("a log start is found in what the pool gave up, in objects, and in compressed batches alike") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders"), other = f.make_partition("other");
  std::string expected;
  std::vector<size_t> starts;
  for (int i = 0; i < 400; i++) {
    std::string text = "line " + std::to_string(i) + std::string(static_cast<size_t>(i * 37 % 3000), 'x') + "\n";
    starts.push_back(expected.size());
    expected += text;
    REQUIRE(f.append(p, text, i % 10 ? Ack::buffered : Ack::durable));
  }
  for (int i = 0; i < 100; i++) {
    REQUIRE(f.append(other, std::string(100'000, 'y') + "\n"));
    f.settle();
  }
  for (int64_t to : {3, 55, 56, 201, 399}) {
    CHECK(f.delete_records(p, to).value() == Offset(to));
    CHECK(f.engine->ends(p)->text_start == TextPosition(static_cast<int64_t>(starts[static_cast<size_t>(to)])));
    CHECK(f.read(p) == expected.substr(starts[static_cast<size_t>(to)]));
  }
  CHECK(f.status().find("\"from_objects\": 0") == std::string::npos);
}

TEST_CASE("a deletion that was answered holds after a power cut at any point, one that was not is whole or not there") {
  for (int cut = 0;; cut++) {
    CAPTURE(cut);
    EngineFixture f;
    f.start();
    PartitionId p = five_batches(f);
    bool answered = false;
    f.engine->delete_records(p, Offset(7), [&](Result<Offset> r) { answered = r.has_value(); });
    bool ended = false;
    for (int i = 0; i < cut && !ended; i++) ended = !f.executor->step();
    bool promised = answered;
    f.power_cut();
    f.start();
    p = f.partition("orders");
    PartitionEnds ends = *f.engine->ends(p);
    if (promised) CHECK(ends.log_start == Offset(7));
    bool whole = ends.log_start == Offset(7) && f.read(p) == lines(7, 15);
    bool nothing = ends.log_start == Offset(0) && f.read(p) == lines(0, 15);
    CHECK((whole || nothing));
    CHECK(ends.durable_end == Offset(15));
    if (ended) break;
    REQUIRE(cut < 1000);
  }
}

TEST_CASE("a log start comes back from the bucket, and so does the end of what was deleted before it was offloaded") {
  EngineFixture f;
  f.options.offload_interval = std::chrono::seconds(10);
  f.start();
  PartitionId p = five_batches(f);
  int64_t start = 0;
  SUBCASE("deleted after the offload") {
    f.executor->advance(std::chrono::seconds(20));
    start = f.delete_records(p, 7)->v;
  }
  SUBCASE("deleted before it") { start = f.delete_records(p, 7)->v; }
  SUBCASE("all of it, before") { start = f.delete_records(p, -1)->v; }
  SUBCASE("some of it before, the rest after") {
    REQUIRE(f.delete_records(p, 4));
    f.executor->advance(std::chrono::seconds(20));
    start = f.delete_records(p, -1)->v;
  }
  f.executor->advance(std::chrono::seconds(20));
  f.stop();
  lose_data_directory(f);
  f.start();
  p = f.partition("orders");
  CHECK(f.engine->ends(p)->log_start == Offset(start));
  CHECK(f.engine->ends(p)->visible_end == Offset(15));
  CHECK(f.read(p) == lines(static_cast<int>(start), 15));
  CHECK(f.append(p, "more\n")->base_offset == Offset(15));
  f.power_cut();
  f.start();
  CHECK(f.read(f.partition("orders")) == lines(static_cast<int>(start), 15) + "more\n");
}

TEST_CASE("a partition whose end is lost with the machine goes on behind what it had deleted") {
  EngineFixture f;
  f.start();
  PartitionId p = five_batches(f);
  f.executor->advance(std::chrono::seconds(70));  // these are in the bucket
  for (int i = 5; i < 8; i++) REQUIRE(f.append(p, lines(3 * i, 3 * i + 3)));
  REQUIRE(f.delete_records(p, -1));
  // The catalog reaches the bucket, the data, which nobody needs, does not.
  f.engine->create_topic({"other", 1, {}, {}, {}}, [](Result<TopicPtr>) {});
  f.stop();
  lose_data_directory(f);
  f.start();
  p = f.partition("orders");
  CHECK(f.engine->ends(p)->log_start == Offset(24));
  auto more = f.append(p, "more\n");
  REQUIRE(more);
  CHECK(more->base_offset == Offset(24));
  CHECK(f.read(p) == "more\n");
}

TEST_CASE("retained bytes are those from the log start on, wherever they are") {
  EngineFixture f;
  f.start();
  PartitionId p = five_batches(f);
  int64_t all = f.engine->ends(p)->retained_bytes;
  SUBCASE("in the log") {}
  SUBCASE("in an object") {
    f.executor->advance(std::chrono::seconds(70));
    CHECK(f.engine->ends(p)->retained_bytes == all);
  }
  REQUIRE(f.delete_records(p, 6));
  int64_t left = f.engine->ends(p)->retained_bytes;
  CHECK(left > all / 2);
  CHECK(left < all * 3 / 4);
  f.power_cut();
  f.start();
  CHECK(f.engine->ends(f.partition("orders"))->retained_bytes == left);
}

TEST_CASE("a search by time looks at what is left") {
  EngineFixture f;
  f.start();
  PartitionId p = five_batches(f);
  int64_t first = f.executor->wall_now().count();
  auto find = [&](int64_t timestamp) {
    Offset found{-2};
    f.engine->find_timestamp(p, timestamp, [&](Result<TimestampedOffset> r) { found = r->offset; });
    f.settle();
    return found;
  };
  CHECK(find(0) == Offset(0));
  REQUIRE(f.delete_records(p, 7));
  CHECK(find(0) == Offset(7));
  CHECK(find(first + 1000) == Offset(-1));
  REQUIRE(f.delete_records(p, -1));
  CHECK(find(0) == Offset(-1));
  CHECK(find(Engine::kMaxTimestamp) == Offset(-1));
}

TEST_CASE("the largest timestamp is one of a record that is left") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  auto append = [&](std::vector<int64_t> timestamps) {
    std::vector<TestRecord> records;
    for (int64_t t : timestamps) records.push_back({"value", {}, {}, t});
    BatchHeader header;
    header.base_timestamp = 1'000'000;
    std::string batch = encode_batch(header, records);
    f.engine->append_batch(p, as_byte_span(batch), {}, [](Result<Appended> r) { CHECK(r); });
    f.settle();
  };
  auto latest = [&] {
    TimestampedOffset found;
    f.engine->find_timestamp(p, Engine::kMaxTimestamp, [&](Result<TimestampedOffset> r) { found = *r; });
    f.settle();
    return std::pair(found.offset, found.timestamp - 1'000'000);
  };
  append({9, 3, 5, 5, 1});
  append({4, 7});
  append({2});
  SUBCASE("in the log") {}
  SUBCASE("in an object") { f.executor->advance(std::chrono::seconds(70)); }
  CHECK(latest() == std::pair(Offset(0), int64_t{9}));
  REQUIRE(f.delete_records(p, 1));
  CHECK(latest() == std::pair(Offset(6), int64_t{7}));
  REQUIRE(f.delete_records(p, 7));
  CHECK(latest() == std::pair(Offset(7), int64_t{2}));
  append({3, 8, 8, 2});
  REQUIRE(f.delete_records(p, 10));
  CHECK(latest() == std::pair(Offset(10), int64_t{8}));
}

TEST_CASE("the record of moved log starts is what the manual says") {
  std::string json =
      R"({"type":"log-starts-moved","partitions":[{"partition":3,"offset":7,"text":49},{"partition":9,"offset":1,"text":0}]})";
  CHECK(encode(ControlRecord(LogStartsMoved{{{PartitionId(3), Offset(7), TextPosition(49)},
                                             {PartitionId(9), Offset(1), TextPosition(0)}}})) == json);
  auto record = decode_control_record(json);
  REQUIRE(record);
  CHECK(std::get<LogStartsMoved>(*record).starts[1].partition == PartitionId(9));
  for (const char* bad : {R"({"type":"log-starts-moved"})", R"({"type":"log-starts-moved","partitions":[{"partition":3}]})",
                          R"({"type":"log-starts-moved","partitions":[{"partition":3,"offset":-1,"text":0}]})"})
    CHECK_FALSE(decode_control_record(bad));
}
