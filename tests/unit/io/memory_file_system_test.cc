#include "support/memory_file_system.h"

#include <doctest/doctest.h>

#include "support/seeded_random.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

const Error kFailed{Errc::kIo, 5, "failed"};

std::unique_ptr<File> make(MemoryFileSystem& fs, const std::string& path, SyncMethod method) {
  auto file = fs.open(path, OpenMode::create, method);
  REQUIRE(file);
  return std::move(*file);
}

void write(File& file, uint64_t at, std::string_view text) { REQUIRE(file.write_at(at, {as_byte_span(text)})); }

std::string read(MemoryFileSystem& fs, const std::string& path) {
  auto bytes = fs.contents(path);
  return std::string(as_text(bytes));
}

}  // namespace

TEST_CASE("a crash takes what was not synced: bytes of buffered files, and names") {
  MemoryFileSystem fs;
  auto buffered = make(fs, "/d/buffered", SyncMethod::buffered);
  auto direct = make(fs, "/d/direct", SyncMethod::direct_dsync);
  auto unnamed = make(fs, "/e/unnamed", SyncMethod::direct_dsync);
  REQUIRE(fs.sync_directory("/d"));
  write(*buffered, 0, "kept");
  REQUIRE(buffered->sync());
  write(*buffered, 0, "lost");
  write(*direct, 0, "kept");
  write(*unnamed, 0, "lost");
  fs.crash();
  CHECK(read(fs, "/d/buffered") == "kept");
  CHECK(read(fs, "/d/direct") == "kept");
  CHECK(fs.paths().size() == 2);
}

TEST_CASE("a crash with a coin leaves any mixture of old and new sectors") {
  SeededRandom random(7);
  int mixed = 0;
  for (int i = 0; i < 20; i++) {
    MemoryFileSystem fs;
    auto file = make(fs, "/d/f", SyncMethod::buffered);
    REQUIRE(fs.sync_directory("/d"));
    write(*file, 0, std::string(1024, 'o'));
    REQUIRE(file->sync());
    write(*file, 0, std::string(1024, 'n'));
    fs.crash([&] { return random.coin(); });
    std::string left = read(fs, "/d/f");
    mixed += left[0] != left[1023];
    CHECK(left.substr(0, 512) == std::string(512, left[0]));
  }
  CHECK(mixed > 3);
}

TEST_CASE("what a failed sync has lost is lost for later syncs too, and direct reads see it") {
  MemoryFileSystem fs;
  auto file = make(fs, "/d/f", SyncMethod::buffered);
  REQUIRE(fs.sync_directory("/d"));
  write(*file, 0, "old");
  REQUIRE(file->sync());
  bool fail = true;
  fs.set_faults([&](const DiskRequest& r) {
    if (r.operation == DiskOperation::sync && std::exchange(fail, false)) return DiskFate{kFailed, DiskFate::Effect::some};
    return DiskFate{};
  }, {});
  write(*file, 0, "new");
  CHECK_FALSE(file->sync());
  CHECK(file->sync());
  std::byte bytes[3];
  CHECK(file->read_at(0, bytes));
  CHECK(as_text(bytes) == "new");
  CHECK((*fs.open("/d/f", OpenMode::read, SyncMethod::direct))->read_at(0, bytes));
  CHECK(as_text(bytes) == "old");
  fs.crash();
  CHECK(read(fs, "/d/f") == "old");
}

TEST_CASE("a sync that lies is known to have lied until the bytes are durable") {
  MemoryFileSystem fs;
  auto file = make(fs, "/d/f", SyncMethod::buffered);
  REQUIRE(fs.sync_directory("/d"));
  bool lie = true;
  fs.set_faults([&](const DiskRequest& r) {
    return DiskFate{{}, r.operation == DiskOperation::sync && lie ? DiskFate::Effect::none : DiskFate::Effect::all};
  }, {});
  write(*file, 0, "text");
  CHECK(file->sync());
  CHECK(fs.has_lied());
  lie = false;
  CHECK(file->sync());
  CHECK_FALSE(fs.has_lied());
}

TEST_CASE("when the power is cut everything fails, and the last write may have come in part") {
  MemoryFileSystem fs;
  SeededRandom random(3);
  fs.set_faults({}, [&] { return random.coin(); });
  auto file = make(fs, "/d/f", SyncMethod::direct_dsync);
  REQUIRE(fs.sync_directory("/d"));
  fs.cut_power_after(1);
  CHECK_FALSE(file->write_at(0, {as_byte_span(std::string(8192, 'x'))}));
  CHECK_FALSE(fs.has_power());
  CHECK_FALSE(file->sync());
  CHECK_FALSE(fs.list("/d"));
  fs.crash();
  CHECK(fs.has_power());
  auto text = read(fs, "/d/f");
  CHECK(text.find('x') != std::string::npos);
  CHECK(text != std::string(8192, 'x'));
}

TEST_CASE("a flipped bit is known until it is written over or mended, in what is durable and in what is not") {
  MemoryFileSystem fs;
  auto file = make(fs, "/d/file", SyncMethod::buffered);
  REQUIRE(fs.sync_directory("/d"));
  write(*file, 0, std::string(2000, 'a'));
  REQUIRE(file->sync());
  fs.damage("/d/file", 10);
  fs.damage("/d/file", 1500);
  CHECK(fs.contents("/d/file")[10] == std::byte{'a' ^ 1});
  auto image = fs.image("/d/file");
  CHECK(image.damaged == std::set<uint64_t>{10, 1500});
  CHECK(as_text(image.undamaged()) == std::string(2000, 'a'));
  write(*file, 10, "b");
  CHECK(fs.image("/d/file").damaged == std::set<uint64_t>{1500});
  SUBCASE("a crash brings the flipped bit back that was written over") {
    fs.crash();
    CHECK(fs.image("/d/file").damaged == std::set<uint64_t>{10, 1500});
    fs.mend();
    CHECK(read(fs, "/d/file") == std::string(2000, 'a'));
  }
  SUBCASE("a sync makes it go for good") {
    REQUIRE(file->sync());
    fs.crash();
    CHECK(fs.image("/d/file").damaged == std::set<uint64_t>{1500});
    fs.mend();
    CHECK(read(fs, "/d/file") == std::string(10, 'a') + "b" + std::string(1989, 'a'));
  }
  CHECK(fs.image("/d/file").damaged.empty());
  fs.crash();
  CHECK(fs.image("/d/file").damaged.empty());
}
