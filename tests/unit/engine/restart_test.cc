// Ends and beginnings: what the simulation (tests/sim) found there, each as small as it gets.
#include "metadata/checkpoint.h"
#include "unit/engine/engine_fixture.h"
#include "wal/log_scan.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

void append_without_running(EngineFixture& f, PartitionId p, std::string_view text, Ack ack) {
  ByteSpan piece = as_byte_span(text);
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {ack, Wait::yes}, [](Result<Appended> r) { CHECK(r); });
}

void lose_disk(EngineFixture& f) {
  for (const auto& path : f.files.paths()) (void)f.files.remove(path);
}

/// Damages the batch of the log behind the checkpoint that comes after `skip` others, and cuts the log there, as topicfsctl
/// repair does.
void lose_log_from_batch(EngineFixture& f, size_t skip) {
  struct Batches : wal::ScanHandler {
    void on_entry(const wal::ScannedEntry& e) override { at.push_back(e.at); }
    std::vector<wal::LogPosition> at;
  } batches;
  auto checkpoint = decode_checkpoint(f.files.contents("/data/checkpoint"));
  REQUIRE(checkpoint);
  auto scan = [&] { return wal::scan_log(f.files, "/data/wal", checkpoint->store, checkpoint->log_from, batches); };
  auto whole = scan();
  REQUIRE(whole);
  REQUIRE(batches.at.size() > skip);
  for (const auto& segment : whole->used)
    if (segment.header.segment == batches.at[skip].segment()) f.files.damage(segment.path, batches.at[skip].byte() + 70);
  auto damaged = scan();
  REQUIRE(damaged);
  std::vector<std::string> kept;
  REQUIRE(wal::cut_log(f.files, "/data/wal", checkpoint->store, checkpoint->log_from, *damaged, "/data/cut", kept));
}

}  // namespace

TEST_CASE("a stop offloads what was still on its way to the disk, waited for or not") {
  for (Ack ack : {Ack::buffered, Ack::durable}) {
    EngineFixture f;
    f.start();
    append_without_running(f, f.make_partition("orders"), "late\n", ack);
    f.stop();
    SUBCASE("it is in the log") {}
    SUBCASE("it is in the bucket") { lose_disk(f); }
    f.start();
    CHECK(f.read(f.partition("orders")) == "late\n");
  }
}

TEST_CASE("no key of the bucket is used for two states, when the answer to an upload was lost") {
  EngineFixture f;
  f.start();
  PartitionId p = f.make_partition("orders");
  int replaced = 0, lost = 0;
  {
    MutexLock l(f.bucket->mutex);
    f.bucket->on_change = [&](const std::string&, const MemoryBucket::Bytes& before, const MemoryBucket::Bytes& after) {
      replaced += before && after && *before != *after;
    };
  }
  f.store->set_faults([&](const MemoryObjectStore::Request& r) {
    bool fails = r.verb == MemoryObjectStore::Verb::put && r.key.starts_with("checkpoints/") && lost++ == 0;
    return MemoryObjectStore::Fate{{}, fails ? Error{Errc::kUnavailable, 0, "reset"} : Error{}};
  });
  REQUIRE(f.append(p, "x\n"));
  for (int i = 0; i < 5 && lost < 2; i++) {
    f.executor->advance(std::chrono::seconds(60));
    f.make_partition("more-" + std::to_string(i));  // so that the next state is another
  }
  CHECK(lost >= 1);
  CHECK_FALSE(f.keys("objects/").empty());
  CHECK(replaced == 0);
}

TEST_CASE("an append that finds some of the memory it needs waits for the rest without running") {
  EngineFixture f;
  f.options.pool_bytes = 512 << 10;
  f.start();
  PartitionId p = f.make_partition("orders");
  std::vector<Pin> pins;
  std::string text(60'000, 'x');
  text += '\n';
  for (int i = 0; i < 6; i++) {
    REQUIRE(f.append(p, text));
    f.engine->read_text(p, TextPosition(i * 60'001), 60'001, [&](Result<TextRead> r) { pins.push_back(r->text.pin); });
  }
  REQUIRE(pins.size() == 6);
  bool answered = false;
  std::string large(250'000, 'y');
  large += '\n';
  ByteSpan piece = as_byte_span(large);
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {}, [&](Result<Appended> r) { answered = r.has_value(); });
  CHECK(f.executor->run_until_idle() < 1000);
  CHECK_FALSE(answered);
  pins.clear();
  f.executor->run_until_idle();
  f.executor->advance(std::chrono::seconds(2));
  CHECK(answered);
}

TEST_CASE("a log goes on wherever in a segment it had become idle") {
  // One of these counts makes the commit that closes an idle log the first of its segment.
  for (int appends = 235; appends < 258; appends++) {
    CAPTURE(appends);
    EngineFixture f;
    f.start();
    PartitionId p = f.make_partition("orders");
    for (int i = 0; i < appends; i++) REQUIRE(f.append(p, "x\n"));
    f.settle();
    REQUIRE(f.append(p, "more\n"));
    f.stop();
    f.start();
    REQUIRE(f.append(f.partition("orders"), "and more\n"));
    f.power_cut();
    f.start();
    CHECK(f.read(f.partition("orders")).ends_with("more\nand more\n"));
  }
}

TEST_CASE("a topic made after a recovery from the bucket is there at the next start") {
  EngineFixture f;
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "x\n"));
  f.stop();
  lose_disk(f);
  f.start();
  f.make_partition("made-later");
  f.power_cut();
  f.start();
  CHECK(f.engine->find_topic("made-later"));
}

TEST_CASE("a topic made after the end of the log was lost to damage is there at the next start") {
  EngineFixture f;
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "x\n"));
  f.stop();
  lose_log_from_batch(f, 0);  // the record of the last offload, which the checkpoint knows
  f.start();
  CHECK(f.read(f.partition("orders")) == "x\n");
  f.make_partition("made-later");
  f.power_cut();
  f.start();
  CHECK(f.engine->find_topic("made-later"));
  f.stop();
  lose_disk(f);
  f.start();
  CHECK(f.engine->find_topic("made-later"));
}

TEST_CASE("a log that was cut within what is deleted goes on at the log start, start after start") {
  EngineFixture f;
  f.faults = [](const MemoryObjectStore::Request& r) {
    bool fails = r.verb == MemoryObjectStore::Verb::put && r.key.starts_with("objects/");
    return MemoryObjectStore::Fate{{}, fails ? Error{Errc::kUnavailable, 0, "503"} : Error{}};
  };
  f.start();
  PartitionId p = f.make_partition("orders");
  for (int i = 0; i < 5; i++) REQUIRE(f.append(p, "old\n"));
  REQUIRE(f.delete_records(p, 4));
  auto take_checkpoint = [&] { f.executor->advance(std::chrono::minutes(20)); };
  take_checkpoint();
  f.power_cut();
  lose_log_from_batch(f, 3);  // the topic, and two appends, are left
  f.start();
  CHECK(f.engine->ends(p)->log_start == Offset(4));
  auto more = f.append(p, "more\n");
  REQUIRE(more);
  CHECK(more->base_offset == Offset(4));
  take_checkpoint();
  f.power_cut();
  f.start();
  CHECK(f.engine->ends(p)->log_start == Offset(4));
  CHECK(f.read(p) == "more\n");
  f.faults = {};
  f.power_cut();
  f.start();
  f.stop();
  lose_disk(f);
  f.start();
  CHECK(f.read(p) == "more\n");
}

TEST_CASE("recovery reads through the page cache only where there are no direct reads") {
  EngineFixture f;
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "x\n"));
  f.power_cut();
  Error answer{Errc::kIo, 5, "cannot open"};
  f.files.set_faults([&](const DiskRequest& r) {
    bool direct = r.operation == DiskOperation::open && r.method == SyncMethod::direct;
    return DiskFate{direct ? answer : Error{}, DiskFate::Effect::all};
  }, {});
  SUBCASE("the disk fails") {
    auto opened = f.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::kIo);
  }
  SUBCASE("the file system has none") {
    answer = {Errc::kInvalidArgument, 22, "cannot open"};
    f.start();
    CHECK(f.read(f.partition("orders")) == "x\n");
  }
}

TEST_CASE("a data directory whose checkpoint is gone is refused, because the log says nothing without it") {
  EngineFixture f;
  f.start();
  REQUIRE(f.append(f.make_partition("orders"), "acknowledged\n"));
  f.power_cut();
  REQUIRE(f.files.remove("/data/checkpoint"));
  auto opened = f.open();
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Errc::kCorrupt);
  CHECK(opened.error().what.find("/data/checkpoint is missing") != std::string::npos);
}
