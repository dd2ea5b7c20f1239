#include "object/dir/dir_store.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "object/block_memory.h"
#include "object/dir/directories.h"
#include "support/manual_executor.h"
#include "support/memory_object_store.h"
#include "support/temporary_directory.h"
#include "unit/object/store_claims.h"

using namespace topicfs;
namespace fs = std::filesystem;

namespace {

struct DirFixture {
  static constexpr bool kMayLackConditionalPut = false;
  TemporaryDirectory scratch;
  std::unique_ptr<DirStore> opened = open();
  std::string root() const { return scratch.path() + "/a/store"; }
  std::unique_ptr<DirStore> open() {
    auto r = DirStore::open(root());
    REQUIRE(r);
    return std::move(*r);
  }
  ObjectStore& store() { return *opened; }
  void drive() {}
};

struct MemoryFixture {
  static constexpr bool kMayLackConditionalPut = false;
  ManualExecutor executor;
  MemoryObjectStore opened{executor, executor};
  ObjectStore& store() { return opened; }
  void drive() { executor.run_until_idle(); }
};

size_t files_in(const std::string& directory) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

}  // namespace

TYPE_TO_STRING(DirFixture);
TYPE_TO_STRING(MemoryFixture);
TOPICFS_STORE_CLAIMS(DirFixture, MemoryFixture);

TEST_CASE_FIXTURE(DirFixture, "a second opener of a directory store is told who holds it") {
  auto second = DirStore::open(root());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::kBusy);
  CHECK(second.error().what.find("process " + std::to_string(::getpid()) + ";") != std::string::npos);
  opened.reset();
  CHECK(DirStore::open(root()));
}

TEST_CASE("a directory store may lie below a directory that can be passed but not listed") {
  TemporaryDirectory scratch;
  const std::string passed = scratch.path() + "/passed", home = passed + "/home";
  fs::create_directories(home);
  REQUIRE(::chmod(home.c_str(), 0777) == 0);
  REQUIRE(::chmod(scratch.path().c_str(), 0755) == 0);
  REQUIRE(::chmod(passed.c_str(), 0111) == 0);
  const pid_t child = ::fork();  // root may list anything
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    if (::access(home.c_str(), W_OK) != 0) ::_exit(0);  // for what is above all tests
    ::_exit(make_and_open_directory(home + "/a/store") ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  REQUIRE(::chmod(passed.c_str(), 0755) == 0);
}

TEST_CASE_FIXTURE(DirFixture, "objects stay when a directory store is closed, what was half written goes") {
  REQUIRE(Waiting<DirFixture>{*this}.put("x/y", "kept"));
  CHECK(files_in(root() + "/.tmp") == 0);
  opened.reset();
  std::ofstream(root() + "/.tmp/7") << "half";
  opened = open();
  CHECK(files_in(root() + "/.tmp") == 0);
  CHECK(text_of(Waiting<DirFixture>{*this}.get_tail("x/y", 9)) == "kept");
  CHECK(keys_of(Waiting<DirFixture>{*this}.list("")) == "x/y:4 ");
}

TEST_CASE_FIXTURE(DirFixture, "of many puts at once that may not overwrite, one wins") {
  std::vector<std::string> texts;
  for (int i = 0; i < 32; i++) texts.push_back("writer " + std::to_string(i));
  std::atomic<int> won{0}, lost{0};
  std::atomic<size_t> winner{0};
  for (size_t i = 0; i < texts.size(); i++) {
    store().put("claim", {as_byte_span(texts[i])}, Overwrite::refuse, [&, i](Result<void> r) {
      if (r) won++, winner = i;
      else if (r.error().code == Errc::kExists) lost++;
    });
  }
  while (won + lost < 32) REQUIRE(Waiting<DirFixture>{*this}.list(""));
  CHECK(won == 1);
  CHECK(text_of(Waiting<DirFixture>{*this}.get_tail("claim", 100)) == texts[winner]);
  CHECK(files_in(root() + "/.tmp") == 0);
}

TEST_CASE_FIXTURE(DirFixture, "closing a directory store answers everything that was asked") {
  std::string text(100'000, 'x');
  std::atomic<int> done{0}, closed{0}, refused{0};
  constexpr int kAsked = 2000;  // more than the queue takes
  for (int i = 0; i < kAsked; i++) {
    store().put("k/" + std::to_string(i), {as_byte_span(text)}, Overwrite::allow, [&](Result<void> r) {
      if (r) done++;
      else if (r.error().code == Errc::kClosed) closed++;
      else if (r.error().code == Errc::kFull) refused++;
    });
  }
  opened.reset();
  CHECK(done + closed + refused == kAsked);
  CHECK(closed > 0);
  CHECK(refused > 0);
}

TEST_CASE_FIXTURE(DirFixture, "a directory store that cannot write says so, and leaves nothing behind") {
  fs::create_directories(root() + "/blocked/name");
  auto r = Waiting<DirFixture>{*this}.put("blocked/name", "x");
  REQUIRE_FALSE(r);
  CHECK(r.error().message().find("blocked/name") != std::string::npos);
  CHECK(files_in(root() + "/.tmp") == 0);
  std::ofstream(scratch.path() + "/file") << "x";
  CHECK_FALSE(DirStore::open(scratch.path() + "/file"));
}

TEST_CASE_FIXTURE(DirFixture, "a directory store reads into memory that it is given, aligned, and says so") {
  std::string text(300'000, 'x');
  for (size_t i = 0; i < text.size(); i++) text[i] = static_cast<char>('a' + i % 23);
  Waiting<DirFixture> s{*this};
  REQUIRE(s.put("o", text));
  std::byte *first = nullptr, *end = nullptr;
  auto get = [&](ObjectRange range, bool has_memory) {
    return s.wait<ObjectBytes>([&](auto done) {
      store().get_placed("o", range, [&, has_memory](size_t size) {
        auto memory = has_memory ? heap_block_memory().allocate(size, BlockMemory::kDirectAlignment) : nullptr;
        first = memory.get(), end = first + size;
        return memory;
      }, std::move(done));
    });
  };
  for (ObjectRange range : {ObjectRange{0, 300'000}, ObjectRange{12'345, 200'001}, ObjectRange{100'000, 200'000}}) {
    auto read = get(range, true);
    REQUIRE(read);
    CHECK(as_text(read->bytes) == std::string_view(text).substr(range.offset, range.size));
    CHECK(read->is_placed);
    CHECK((read->bytes.data() >= first && read->bytes.data() + read->bytes.size() <= end));
  }
  CHECK(get({0, 300'000}, false).error().code == Errc::kFull);
  CHECK(get({0, 300'001}, true).error().code == Errc::kCorrupt);
  auto small = get({10, 1000}, false);  // has memory of its own
  REQUIRE(small);
  CHECK_FALSE(small->is_placed);
  CHECK(as_text(small->bytes) == std::string_view(text).substr(10, 1000));
}
