#include "wal/segments.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "support/manual_executor.h"
#include "support/memory_file_system.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

struct Fixture {
  MemoryFileSystem files;
  ManualExecutor executor;
  ManualLogDevice device{executor};
  std::unique_ptr<ChunkPool> pool = ChunkPool::create(4 << 20, 64 << 10).value();
  wal::SegmentOptions options;
  std::string path = "/wal/segment-000003-00000002";

  Fixture() {
    options.directory = "/wal";
    options.segment_bytes = 1 << 20;
    REQUIRE(files.make_directories("/wal"));
  }
  /// As a daemon leaves it that is killed while it prepares the file.
  void write_half() {
    auto file = files.open(path, OpenMode::create, SyncMethod::buffered).value();
    std::vector<std::byte> half(options.segment_bytes / 2);
    REQUIRE(file->write_at(0, {ByteSpan(half)}));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a half-written segment that the disk has no room to complete gives its room back") {
  write_half();
  files.fail_writes("segment", Error{Errc::kNoSpace, 28, "write"}, 1000);
  wal::Segments segments(options, files, device, *pool);
  segments.add_free(path);
  CHECK(segments.start(4, [] {}).error().code == Errc::kNoSpace);
  CHECK(files.paths().empty());
}

TEST_CASE_FIXTURE(Fixture, "a half-written segment is completed and used where there is room") {
  write_half();
  wal::Segments segments(options, files, device, *pool);
  segments.add_free(path);
  REQUIRE(segments.start(4, [] {}));
  CHECK(files.contents(path).size() == options.segment_bytes);
  CHECK(segments.open_next(wal::Reserve::keep)->number == 4);
  executor.run_until_idle();
  segments.stop();
}

TEST_CASE_FIXTURE(Fixture, "when the log has found no segment ready, more are kept ready, as many as the pool holds") {
  wal::Segments segments(options, files, device, *pool);  // a pool of four
  REQUIRE(segments.start(1, [] {}));
  executor.run_until_idle();
  CHECK(segments.counts().ready == 2);
  for (uint32_t expected : {4, 4}) {
    while (segments.open_next(wal::Reserve::keep)) {
    }
    CHECK_FALSE(segments.open_next(wal::Reserve::keep));  // the same want
    executor.run_until_idle();
    CHECK(segments.counts().ready == expected);
  }
  segments.stop();
}

TEST_CASE_FIXTURE(Fixture, "a new segment whose name could not be made durable is not used until it could") {
  options.max_segments = 2;
  wal::Segments segments(options, files, device, *pool);
  REQUIRE(segments.start(4, [] {}));
  int failures = 0;
  files.set_faults(
      [&](const DiskRequest& q) {
        bool fails = q.operation == DiskOperation::sync_directory && failures++ == 0;
        return fails ? DiskFate{Error{Errc::kIo, 5, "sync"}} : DiskFate{};
      },
      [] { return true; });
  executor.run_until_idle();
  REQUIRE(segments.open_next(wal::Reserve::use)->number == 4);
  wal::Segment* next = segments.open_next(wal::Reserve::use);
  if (!next) {
    executor.run_until_idle();
    next = segments.open_next(wal::Reserve::use);
  }
  REQUIRE(next);
  CHECK(failures >= 2);
  files.crash();
  auto paths = files.paths();
  CHECK(std::find(paths.begin(), paths.end(), next->path) != paths.end());
  executor.run_until_idle();
  segments.stop();
}
