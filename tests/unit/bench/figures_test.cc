#include "bench/figures.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "bench/append_load.h"
#include "bench/read_load.h"

using namespace topicfs;
using namespace topicfs::bench;

namespace {

Run run_of(uint64_t bytes) { return {.seconds = 1, .operations = 1, .bytes = bytes}; }

struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "bench.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path;
};

}  // namespace

TEST_CASE("the median is a run that happened, the lower one of an even number") {
  std::vector<Run> odd{run_of(5), run_of(1), run_of(3)};
  CHECK(median(odd).bytes == 3);
  std::vector<Run> even{run_of(4), run_of(1), run_of(3), run_of(2)};
  CHECK(median(even).bytes == 2);
}

TEST_CASE("quantiles of nothing are zero, and the last is the largest sample") {
  std::vector<float> none;
  CHECK(quantile(none, 0.5) == 0);
  std::vector<float> three{3, 1, 2};
  CHECK(quantile(three, 0.5) == 2);
  CHECK(quantile(three, 1.0) == 3);
}

TEST_CASE("targets take turns, and the first error ends the run") {
  std::string order;
  auto result = by_turns({"a", "b"}, 2, [&](const std::string& target) -> Result<Run> {
    order += target;
    return run_of(1);
  });
  CHECK(order == "abab");
  CHECK(result->at(1).runs.size() == 2);
  auto failed = by_turns({"a", "b"}, 2, [&](const std::string& target) -> Result<Run> {
    if (target == "b") return fail(Errc::kIo, "broken");
    return run_of(1);
  });
  CHECK(failed.error().what == "broken");
}

TEST_CASE("the table sets each target beside the first") {
  const std::string text = render({{"mount", {run_of(3'000'000)}}, {"ext4", {run_of(1'500'000)}}});
  CHECK(text.find("mount") < text.find("ext4"));
  CHECK(text.find("3.0") != std::string::npos);
  CHECK(text.find("0.50") != std::string::npos);
}

TEST_CASE("what was counted as appended is in the files, and reads back as counted") {
  Directory directory;
  const AppendLoad load{.files = 3, .threads = 2, .line_bytes = 10, .seconds = 0.05, .durability = Durability::sync};
  Result<Run> appended = append(directory.path + "/topic", load, system_clock());
  REQUIRE(appended);
  CHECK(appended->operations > 0);
  uint64_t bytes = 0, read_bytes = 0;
  for (int i = 0; i < 3; ++i) {
    const std::string file = directory.path + "/topic/" + std::to_string(i);
    bytes += std::filesystem::file_size(file);
    read_bytes += read_whole(file, 4096, system_clock())->bytes;
  }
  CHECK(bytes == appended->bytes);
  CHECK(read_bytes == bytes);
}

TEST_CASE("loads that make no sense and files that are not there are named") {
  CHECK(append("/nowhere/at/all", {}, system_clock()).error().code == Errc::kNotFound);
  CHECK(append("/tmp", {.files = 0}, system_clock()).error().code == Errc::kInvalidArgument);
  CHECK(append("/tmp", {.threads = 1000}, system_clock()).error().code == Errc::kInvalidArgument);
  CHECK(append("/tmp", {.line_bytes = 0}, system_clock()).error().code == Errc::kInvalidArgument);
  CHECK(append("/tmp", {.seconds = 0}, system_clock()).error().code == Errc::kInvalidArgument);
  CHECK(read_whole("/nowhere", 1, system_clock()).error().code == Errc::kNotFound);
  CHECK(read_whole("/etc/passwd", 0, system_clock()).error().code == Errc::kInvalidArgument);
}
