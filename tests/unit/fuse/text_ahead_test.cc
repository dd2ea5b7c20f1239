#include "fixture.h"

using namespace topicfs;
using namespace topicfs::fuse;

namespace {

constexpr size_t kRequest = 128 << 10;

struct Reading : Fixture {
  Inode p = partition(topic());
  std::string all;
  OpenFile& file = open(p, O_RDONLY);

  Reading() {
    for (int i = 0; i < 40'000; i++) all += "line " + std::to_string(i) + " of a partition that is read from end to end\n";
    for (size_t at = 0; at < all.size(); at += 1 << 20) append_unframed(all.substr(at, 1 << 20));
  }
  void append_unframed(std::string_view text) {
    const ByteSpan pieces[] = {as_byte_span(text)};
    engine.append_text(id(p), pieces, text.ends_with('\n') ? LastLine::complete : LastLine::unfinished, {},
                       [](Result<Appended> done) { REQUIRE(done); });
  }
  std::string expected(size_t from, size_t size = kRequest) { return all.substr(from, size); }
  /// Reads twice, one behind the other, which makes the reader sequential.
  void begin() {
    for (size_t at : {size_t{0}, kRequest}) {
      CHECK(text(read(file, static_cast<int64_t>(at), kRequest)) == expected(at));
      CHECK(engine.live_pins() == 0);
    }
  }
};

}  // namespace

TEST_CASE_FIXTURE(Reading, "a sequential reader gets every byte once, whatever it asks for and whenever") {
  SUBCASE("and what comes next is always ready") {
    for (size_t at = 0, i = 0; at < all.size(); i++) {
      const std::string got = text(read(file, static_cast<int64_t>(at), 1 + i * 37'003 % (1 << 20)));
      REQUIRE(!got.empty());
      REQUIRE(got == all.substr(at, got.size()));
      at += got.size();
      time.run_until_idle();
    }
  }
  SUBCASE("and it is never ready") {
    for (size_t at = 0; at < all.size();) {
      const std::string got = text(read(file, static_cast<int64_t>(at), kRequest));
      REQUIRE(got == all.substr(at, kRequest));
      at += got.size();
    }
  }
  CHECK(text(read(file, static_cast<int64_t>(all.size()), kRequest)).empty());
}

TEST_CASE_FIXTURE(Reading, "what a sequential reader asks for next is there before it asks, and no longer than a while") {
  begin();
  time.run_until_idle();
  CHECK(engine.live_pins() == 1);
  engine.hold_reads();
  CHECK(text(read(file, 2 * kRequest, kRequest)) == expected(2 * kRequest));
  engine.answer_reads();
  time.advance(3 * kKeepAhead);
  CHECK(engine.live_pins() == 0);
}

TEST_CASE_FIXTURE(Reading, "a read that is on its way already is not made twice") {
  begin();
  engine.hold_reads();
  time.run_until_idle();
  auto soon = read(file, 2 * kRequest, kRequest);
  CHECK_FALSE(soon.answered());
  engine.answer_reads();
  CHECK(text(soon) == expected(2 * kRequest));
}

TEST_CASE_FIXTURE(Reading, "a reader that jumps is answered from where it is") {
  begin();
  time.run_until_idle();
  CHECK(text(read(file, 700'001, kRequest)) == expected(700'001));
  CHECK(text(read(file, 0, kRequest)) == expected(0));
  time.run_until_idle();
  CHECK(engine.live_pins() == 0);
}

TEST_CASE_FIXTURE(Reading, "what retention has deleted is not answered from what was made ready before") {
  begin();
  time.run_until_idle();
  engine.set_log_start(id(p), engine.ends(id(p))->visible_end);
  CHECK(text(read(file, 2 * kRequest, kRequest)).find("line") == std::string::npos);
}

TEST_CASE_FIXTURE(Reading, "only so many readers have text made ready, and what a closed one had is free for others") {
  std::vector<OpenFile*> readers;
  auto start_reader = [&] {
    readers.push_back(&open(p, O_RDONLY));
    for (size_t at : {size_t{0}, kRequest}) read(*readers.back(), static_cast<int64_t>(at), kRequest);
    time.run_until_idle();
  };
  for (int i = 0; i < 2 * kMaxAhead; i++) start_reader();
  CHECK(engine.live_pins() == static_cast<size_t>(kMaxAhead));
  for (OpenFile* reader : readers) fs.release(reader);
  readers.clear();
  CHECK(engine.live_pins() == 0);
  start_reader();
  CHECK(engine.live_pins() == 1);
}
