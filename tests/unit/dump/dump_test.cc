#include <doctest/doctest.h>

#include <cstring>

#include "dump/dump.h"
#include "metadata/checkpoint.h"
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;
using namespace topicfs::dump;

namespace {

class MemorySource final : public Source {
 public:
  explicit MemorySource(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  uint64_t size_bytes() const override { return bytes_.size(); }
  Result<std::vector<std::byte>> read(uint64_t position, uint64_t bytes) override {
    if (position + bytes > bytes_.size()) return fail(Errc::kCorrupt, "too short");
    auto from = bytes_.begin() + static_cast<ptrdiff_t>(position);
    return std::vector<std::byte>(from, from + static_cast<ptrdiff_t>(bytes));
  }

 private:
  std::vector<std::byte> bytes_;
};

struct Dumped {
  Result<void> outcome;
  std::string text;
  bool has(std::string_view part) const { return text.find(part) != std::string::npos; }
};

Dumped dumped(std::vector<std::byte> bytes, Form form = Form::text, Detail detail = Detail::batches) {
  Dumped d;
  MemorySource source(std::move(bytes));
  Printer out(form, [&](std::string_view line) { return d.text += line, true; });
  d.outcome = topicfs::dump::dump(source, detail, out);
  return d;
}

/// What an engine leaves: five lines in orders/0, in the log, in an object, and a checkpoint.
struct Left : EngineFixture {
  Left() {
    start();
    PartitionId p = make_partition("orders");
    for (int i = 0; i < 5; i++) REQUIRE(append(p, "line " + std::to_string(i) + "\n"));
    append(p, "no newline");
    stop();
  }
  std::vector<std::byte> first_segment() {
    for (const std::string& path : files.paths())
      if (path.find("segment-000001") != std::string::npos) return files.contents(path);
    FAIL("no segment");
    return {};
  }
  std::vector<std::byte> object() {
    MutexLock l(bucket->mutex);
    for (auto& [key, bytes] : bucket->objects)
      if (key.starts_with("objects/")) return *bytes;
    FAIL("no object");
    return {};
  }
};

}  // namespace

TEST_CASE("text is printed so that no terminal obeys it") {
  CHECK(escaped("a\nb\\c") == "a\\nb\\\\c");
  CHECK(escaped("\x1b[31m\x7f") == "\\x1b[31m\\x7f");
  CHECK(escaped("Größe €") == "Größe €");
  CHECK(escaped("\xff\xc3") == "\\xff\\xc3");
  CHECK(escaped("\xc2\x9b" "31m") == "\\xc2\\x9b31m");  // CSI as one character
  CHECK(is_utf8("€"));
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));  // a surrogate
  CHECK_FALSE(is_utf8("\xe2\x82"));
}

TEST_CASE("JSON has bytes that are no text in base64") {
  std::string line;
  Printer out(Form::json, [&](std::string_view l) { return line = l, true; });
  out.begin("record");
  out.put_bytes("value", "a\"\n");
  out.put_bytes("key", "\xff");
  CHECK(out.end());
  CHECK(line == "{\"type\":\"record\",\"value\":\"a\\\"\\u000a\",\"key_base64\":\"/w==\"}\n");
}

TEST_CASE("a log segment prints its commits, batches and control records") {
  Left left;
  Dumped d = dumped(left.first_segment());
  REQUIRE_MESSAGE(d.outcome, (d.outcome ? "" : d.outcome.error().message()));
  CHECK(d.has("segment  number 1  bytes 1048576"));
  CHECK(d.has("partition 1  offset 0  records 1  text_position 0  text_bytes 7"));
  CHECK(d.has("\"type\":\"topic-created\""));
  CHECK(d.has("commit  at 4096  end 8192  number 1  entries 1"));
  CHECK(d.has("rest  at "));
  CHECK_FALSE(d.has("value line 3"));
  d = dumped(left.first_segment(), Form::text, Detail::records);
  CHECK(d.has("value line 3\n"));
  CHECK(d.has("newline no  value no newline\n"));
  d = dumped(left.first_segment(), Form::json, Detail::records);
  CHECK(d.has("\"value\":\"line 3\"}\n"));
}

TEST_CASE("a damaged segment prints what is whole on both sides of the damage") {
  Left left;
  std::vector<std::byte> bytes = left.first_segment();
  bytes[4 * 4096 + 100] ^= std::byte{1};
  Dumped d = dumped(bytes);
  REQUIRE_FALSE(d.outcome);
  CHECK(d.outcome.error().code == Errc::kCorrupt);
  CHECK(d.has("damaged  at 16384  end 20480\n"));
  CHECK(d.has("commit  at 20480"));
}

TEST_CASE("an object prints its index, and its records when asked") {
  Left left;
  Dumped d = dumped(left.object());
  REQUIRE_MESSAGE(d.outcome, (d.outcome ? "" : d.outcome.error().message()));
  CHECK(d.has("object  store "));
  CHECK(d.has("name orders/0\n"));
  CHECK(d.has("block  at 32"));
  CHECK_FALSE(d.has("value line 3"));
  d = dumped(left.object(), Form::text, Detail::records);
  CHECK(d.has("value line 3\n"));
  std::vector<std::byte> bytes = left.object();
  bytes[bytes.size() - 100] ^= std::byte{1};
  CHECK(dumped(bytes).outcome.error().code == Errc::kCorrupt);
}

TEST_CASE("a checkpoint prints topics, objects and extents") {
  Left left;
  Dumped d = dumped(left.files.contents("/data/checkpoint"));
  REQUIRE_MESSAGE(d.outcome, (d.outcome ? "" : d.outcome.error().message()));
  CHECK(d.has("checkpoint  store "));
  CHECK(d.has("\"name\":\"orders\""));
  CHECK(d.has("object  key objects/0000000000000001-0000000000000001"));
  CHECK(d.has("extent  offset 0  end_offset 6"));
  CHECK(d.has("leader_epoch  epoch 0  start 0"));
  std::vector<std::byte> bytes = left.files.contents("/data/checkpoint");
  bytes[40] ^= std::byte{1};
  CHECK(dumped(bytes).outcome.error().code == Errc::kCorrupt);
}

TEST_CASE("a checkpoint prints producers and what they sent last") {
  Checkpoint c;
  c.producers = {{PartitionId(3), 4'294'967'296, 1, WallMilliseconds(5000), {{0, 9, Offset(70), 4999}}}};
  Dumped d = dumped(encode(c));
  REQUIRE(d.outcome);
  CHECK(d.has("producer  partition 3  id 4294967296  epoch 1  last_used 5000"));
  CHECK(d.has("batch  first_sequence 0  last_sequence 9  offset 70  timestamp 4999"));
}

TEST_CASE("what is none of topicfs's files is refused, and a closed output ends the dump") {
  CHECK(dumped({}).outcome.error().code == Errc::kUnsupported);
  CHECK(dumped(std::vector<std::byte>(4096)).outcome.error().code == Errc::kUnsupported);
  Left left;
  MemorySource source(left.first_segment());
  int lines = 0;
  Printer out(Form::text, [&](std::string_view) { return ++lines < 3; });
  CHECK(topicfs::dump::dump(source, Detail::batches, out).error().code == Errc::kClosed);
  CHECK(lines == 3);
}
