// topicfsctl verify and repair over what a real engine wrote, on a disk and a bucket in memory.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/thread_executor.h"
#include "ctl/verify.h"
#include "metadata/checkpoint.h"
#include "unit/engine/engine_fixture.h"
#include "wal/log_scan.h"

using namespace topicfs;
using namespace topicfs::testing;
using ctl::Cut;

namespace {

/// An engine's leavings, and a check of them that tells in lines.
struct Checked : EngineFixture {
  ThreadExecutor requests{"requests", system_clock()};
  std::vector<std::string> said;

  /// Commits of a few blocks each; offloaded in part.
  void write(int appends = 40) {
    start();
    make_partition("orders", 2);
    for (int i = 0; i < appends; i++)
      REQUIRE(append(partition("orders", static_cast<size_t>(i % 2)), std::string(20'000, static_cast<char>('a' + i % 26)) + "\n"));
    settle();
    kill();
    REQUIRE(keys("objects/").size() > 1);
  }
  ctl::Report report() {
    said.clear();
    return ctl::Report(system_clock(), [this](const std::string& line) { said.push_back(line); });
  }
  uint64_t damages(const std::string& directory = "/data", bool with_store = true) {
    MemoryObjectStore objects(requests, system_clock(), bucket);
    ctl::Report r = report();
    auto done = ctl::verify(files, directory, with_store ? &objects : nullptr, r);
    REQUIRE_MESSAGE(done, (done ? "" : done.error().message()));
    return r.damages();
  }
  Result<Cut> repair(bool confirmed = true) {
    ctl::Report r = report();
    return ctl::repair(files, "/data", "now", [=](const std::string&) { return confirmed; }, r);
  }
  bool was_said(std::string_view part) const {
    for (const std::string& line : said)
      if (line.find(part) != std::string::npos) return true;
    return false;
  }
  std::string all_said() const {
    std::string all;
    for (const std::string& line : said) all += line + "\n";
    return all;
  }
  std::string segment(uint32_t number) {
    for (const std::string& path : files.paths()) {
      if (path.find("/segment-") == std::string::npos) continue;
      auto header = wal::decode_segment_header(files.contents(path));
      if (header && header->segment == number) return path;
    }
    FAIL("no segment " << number);
    return "";
  }
  /// Where a text of one letter stands in the log.
  std::pair<std::string, uint64_t> find(char letter) {
    std::string text(1000, letter);
    for (const std::string& path : files.paths()) {
      if (path.find("/segment-") == std::string::npos) continue;
      auto bytes = files.contents(path);
      size_t at = as_text(bytes).find(text);
      if (at != std::string::npos) return {path, at};
    }
    FAIL("no " << letter << " in the log");
    return {};
  }
};

}  // namespace

TEST_CASE("a log and a store that an engine left are whole, with either one alone too") {
  Checked c;
  c.write();
  CHECK_MESSAGE(c.damages() == 0, c.all_said());
  CHECK(c.was_said("log: "));
  CHECK(c.was_said("store: "));
  CHECK_MESSAGE(c.damages("", true) == 0, c.all_said());
  CHECK_MESSAGE(c.damages("/data", false) == 0, c.all_said());
  auto cut = c.repair();
  REQUIRE(cut);
  CHECK(*cut == Cut::nothing);
}

TEST_CASE("a data directory that a daemon holds is refused") {
  Checked c;
  c.start();
  ctl::Report r = c.report();
  auto refused = ctl::verify(c.files, "/data", nullptr, r);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kBusy);
  auto none = ctl::verify(c.files, "/elsewhere", nullptr, r);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Errc::kNotFound);
}

TEST_CASE("every kind of damage to the store is found and named") {
  Checked c;
  c.write();
  std::string key = c.keys("objects/").front();
  auto spoil = [&](uint64_t position) {
    MemoryObjectStore objects(c.requests, system_clock(), c.bucket);
    objects.damage(key, position);
  };
  uint64_t size;
  {
    MutexLock l(c.bucket->mutex);
    size = c.bucket->objects[key]->size();
  }
  SUBCASE("a byte of a batch") { spoil(size / 2); }
  SUBCASE("the header") { spoil(20); }
  SUBCASE("the footer") { spoil(size - 60); }
  SUBCASE("the trailer") { spoil(size - 20); }
  SUBCASE("an object is missing") { c.remove_object(key); }
  SUBCASE("an object stands where another should") { c.copy_object(c.keys("objects/")[1], key); }
  CHECK(c.damages() > 0);
  CHECK_MESSAGE(c.was_said(key), c.all_said());
}

TEST_CASE("the store's own catalog is checked") {
  Checked c;
  c.write();
  std::string newest = c.keys("checkpoints/").back();
  {
    MemoryObjectStore objects(c.requests, system_clock(), c.bucket);
    objects.damage(newest, 100);
  }
  CHECK(c.damages() == 1);
  CHECK_MESSAGE(c.was_said(newest), c.all_said());
}

TEST_CASE("an upload whose record was lost is a remark, not damage") {
  Checked c;
  c.write();
  c.copy_object(c.keys("objects/").front(), "objects/0000000000000001-00000000000000ff");
  CHECK(c.damages() == 0);
  CHECK_MESSAGE(c.was_said("is in no catalog"), c.all_said());
  // To a recovery from the store alone it is a sign that something is missing.
  CHECK(c.damages("", true) > 0);
}

TEST_CASE("a damaged batch in the log is named with its partition, and cut with all that is behind it") {
  Checked c;
  c.write();
  auto [path, at] = c.find('z');  // append 25, of orders/1
  c.files.damage(path, at + 10);
  CHECK(c.damages("/data", false) == 1);
  CHECK_MESSAGE(c.was_said("orders/1: the batch at byte"), c.all_said());
  auto opened = c.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::kCorrupt);
  c.kill();

  auto refused = c.repair(false);
  REQUIRE(refused);
  CHECK(*refused == Cut::refused);
  // 20 records each; of orders/1 the 13th is the damaged one.
  CHECK_MESSAGE(c.was_said("orders/0: 7 records, offsets 13 to 19; 7 of them are in whole batches"), c.all_said());
  CHECK_MESSAGE(c.was_said("orders/1: 8 records, offsets 12 to 19; 7 of them are in whole batches"), c.all_said());
  CHECK(c.damages("/data", false) == 1);

  auto before = c.files.contents(path);
  auto cut = c.repair();
  REQUIRE_MESSAGE(cut, (cut ? "" : cut.error().message()));
  CHECK(*cut == Cut::done);
  CHECK(c.files.contents("/data/cut-now/" + path.substr(path.rfind('/') + 1)) == before);
  CHECK(as_text(c.files.contents("/data/cut-now/lost")).find("orders/1: 8 records") != std::string_view::npos);
  CHECK_MESSAGE(c.damages("/data", false) == 0, c.all_said());
  c.start();
  CHECK(c.engine->ends(c.partition("orders", 0))->visible_end == Offset(13));
  CHECK(c.engine->ends(c.partition("orders", 1))->visible_end == Offset(12));
  CHECK(c.append(c.partition("orders", 1), "goes on\n"));
  CHECK(c.read(c.partition("orders", 1)).ends_with("\ngoes on\n"));
  c.stop();
  CHECK_MESSAGE(c.damages() == 0, c.all_said());
}

TEST_CASE("a log whose first segment is gone, or of which nothing there holds, is cut down to its checkpoint") {
  Checked c;
  c.write();
  c.start();
  c.stop();  // a checkpoint that needs the log behind it only
  c.start();
  for (int i = 0; i < 6; i++) REQUIRE(c.append(c.partition("orders"), "after " + std::to_string(i) + "\n"));
  Offset end = c.engine->ends(c.partition("orders"))->visible_end;
  c.kill();
  auto checkpoint = decode_checkpoint(c.files.contents("/data/checkpoint"));
  REQUIRE(checkpoint);
  std::string first = c.segment(checkpoint->log_from.segment());
  SUBCASE("gone") {
    REQUIRE(c.files.remove(first));
    CHECK(c.damages("/data", false) == 1);
    CHECK_MESSAGE(c.was_said("is missing, with which the log behind the checkpoint begins"), c.all_said());
  }
  SUBCASE("its first commit is damaged") {
    c.files.damage(first, 4096 + 10);
    CHECK(c.damages("/data", false) == 1);
  }
  auto opened = c.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::kCorrupt);
  c.kill();
  auto cut = c.repair();
  REQUIRE(cut);
  CHECK(*cut == Cut::done);
  CHECK_MESSAGE(c.damages("/data", false) == 0, c.all_said());
  c.start();
  CHECK(c.engine->ends(c.partition("orders"))->visible_end == end - 6);
  CHECK(c.append(c.partition("orders"), "goes on\n"));
}

TEST_CASE("what verify calls whole a daemon opens, what it calls damaged a daemon refuses, and repair helps") {
  int opens = 0, refusals = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    CAPTURE(seed);
    Checked c;
    c.write(30);
    SeededRandom dice(seed);
    std::vector<std::string> segments;
    for (const std::string& path : c.files.paths())
      if (path.find("/segment-") != std::string::npos) segments.push_back(path);
    uint64_t hits = 1 + dice.next() % 3;
    for (uint64_t i = 0; i < hits; i++) {
      std::string path = segments[dice.next() % segments.size()];
      uint64_t within = dice.next() % 4 == 0 ? 48 : 700'000;  // headers are small, and worth hitting
      if (dice.next() % 10 == 0 && segments.size() > 1) {
        REQUIRE(c.files.remove(path));
        std::erase(segments, path);
      } else {
        c.files.damage(path, dice.next() % within);
      }
    }
    ctl::Report r = c.report();
    auto verified = ctl::verify(c.files, "/data", nullptr, r);
    REQUIRE_MESSAGE(verified, (verified ? "" : verified.error().message()));
    auto opened = c.open();
    CHECK_MESSAGE(opened.has_value() == (r.damages() == 0),
                  c.all_said() << (opened ? "opened" : opened.error().message()));
    c.kill();
    (opened ? opens : refusals)++;
    if (opened) continue;
    CHECK(opened.error().code == Errc::kCorrupt);
    auto cut = c.repair();
    REQUIRE(cut);
    CHECK_MESSAGE(*cut == Cut::done, c.all_said());
    auto again = c.open();
    CHECK_MESSAGE(again, (again ? "" : again.error().message()));
    c.kill();
  }
  CHECK(opens > 5);
  CHECK(refusals > 5);
}

TEST_CASE("the progress bar shows what is done, and of how much") {
  CHECK(ctl::progress_bar("log", 0, 0) == "log      [..............................]   0 %  0 B of 0 B");
  CHECK(ctl::progress_bar("log", 512, 1024) == "log      [###############...............]  50 %  512 B of 1.00 KiB");
  CHECK(ctl::progress_bar("objects", 5000, 1024) == "objects  [##############################] 100 %  1.00 KiB of 1.00 KiB");
}
