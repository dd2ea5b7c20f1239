// The memory engine itself, because the tests of the mount and of the gateway believe it.
#include <doctest/doctest.h>

#include <optional>

#include "support/memory_batch.h"
#include "support/manual_executor.h"
#include "support/memory_engine.h"

namespace topicfs::testing {
namespace {

struct Fixture {
  ManualExecutor later;
  MemoryEngine engine;
  explicit Fixture(bool deferred = false)
      : engine({.executor = deferred ? &later : nullptr, .clock = nullptr, .region = {}}) {}

  PartitionId make_partition() {
    std::optional<PartitionId> id;
    engine.create_topic({"t", 1, {}, {}, {}}, [&](Result<TopicPtr> t) { id = t.value()->partitions[0].id; });
    later.run_until_idle();
    return *id;
  }
  Result<Appended> append(PartitionId id, std::string_view text, LastLine last = LastLine::complete) {
    std::optional<Result<Appended>> out;
    ByteSpan piece = as_byte_span(text);
    engine.append_text(id, {&piece, 1}, last, {}, [&](Result<Appended> r) { out = std::move(r); });
    return *out;
  }
  std::string text(PartitionId id, int64_t from = 0, size_t max = 1 << 20) {
    std::string out;
    engine.read_text(id, TextPosition(from), max, [&](Result<TextRead> r) {
      for (auto piece : r.value().text.pieces) out += as_text(piece);
    });
    return out;
  }
};

TEST_CASE("text reads back byte for byte, an unfinished last line included") {
  Fixture f;
  auto id = f.make_partition();
  CHECK(f.append(id, "a\n\nbc\n").value().text_end == TextPosition(6));
  CHECK(f.append(id, "half", LastLine::unfinished).value().base_offset == Offset(3));
  CHECK(f.append(id, "whole\n").value().base_offset == Offset(4));
  CHECK(f.text(id) == "a\n\nbc\nhalfwhole\n");
  CHECK(f.text(id, 4, 5) == "c\nhal");
  CHECK(f.engine.ends(id)->durable_end == Offset(5));
}

TEST_CASE("a batch that fails its CRC is refused and a good one is stamped and fetched") {
  Fixture f;
  auto id = f.make_partition();
  std::string_view values[] = {"one", "two"};
  auto batch = build_batch(values, WallMilliseconds(7));
  std::optional<Result<Appended>> out;
  auto keep = [&](Result<Appended> r) { out = std::move(r); };
  f.engine.append_batch(id, batch, {}, keep);
  f.engine.append_batch(id, batch, {}, keep);
  REQUIRE((*out)->base_offset == Offset(2));
  auto bad = batch;
  bad.back() ^= std::byte{1};
  f.engine.append_batch(id, bad, {}, keep);
  CHECK(out->error().code == Errc::kCorrupt);
  f.engine.fetch(id, Offset(3), 1, [&](Result<Fetched> r) {
    REQUIRE(r->batches.pieces.size() == 1);
    CHECK(base_offset_of(r->batches.pieces[0]) == Offset(2));
    CHECK(f.engine.live_pins() == 1);
  });
  CHECK(f.engine.live_pins() == 0);
  f.engine.find_timestamp(id, 7, [&](Result<TimestampedOffset> r) { CHECK(r->offset == Offset(0)); });
}

TEST_CASE("with an executor an append is visible at once and durable when the task has run") {
  Fixture f(true);
  auto id = f.make_partition();
  bool answered = false;
  ByteSpan piece = as_byte_span("x\n");
  f.engine.append_text(id, {&piece, 1}, LastLine::complete, {}, [&](Result<Appended>) { answered = true; });
  CHECK(f.engine.ends(id)->visible_end == Offset(1));
  CHECK(f.engine.ends(id)->durable_end == Offset(0));
  CHECK(!answered);
  f.later.run_until_idle();
  CHECK(answered);
  CHECK(f.engine.ends(id)->durable_end == Offset(1));
}

TEST_CASE("while full, appends wait, are cancelled, time out, or are let in") {
  Fixture f;
  auto id = f.make_partition();
  f.engine.set_full(true);
  std::vector<Errc> errors;
  int written = 0;
  auto append = [&](Wait wait) {
    ByteSpan piece = as_byte_span("x\n");
    return f.engine.append_text(id, {&piece, 1}, LastLine::complete, {Ack::durable, wait},
                                [&](Result<Appended> r) { r ? void(++written) : errors.push_back(r.error().code); });
  };
  CHECK(append(Wait::no) == 0);
  f.engine.cancel(append(Wait::yes));
  append(Wait::yes);
  f.engine.time_out_waiting();
  CHECK(errors == std::vector{Errc::kWouldBlock, Errc::kCancelled, Errc::kTimedOut});
  append(Wait::yes);
  CHECK(f.engine.waiting_appends() == 1);
  f.engine.set_full(false);
  CHECK(written == 1);
}

}  // namespace
}  // namespace topicfs::testing
