#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "ctl/mounts.h"
#include "ctl/read_file.h"
#include "ctl/status_view.h"
#include "ctl/topics_view.h"
#include "ctl/units.h"
#include "support/temporary_directory.h"

using namespace topicfs;
using namespace topicfs::ctl;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("numbers print as people read them") {
  CHECK(with_separators(0) == "0");
  CHECK(with_separators(999) == "999");
  CHECK(with_separators(-1234567) == "-1,234,567");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1536) == "1.50 KiB");
  CHECK(human_bytes(64 << 20) == "64.0 MiB");
  CHECK(human_bytes(INT64_MAX) == "8.00 EiB");
  CHECK(human_time(250) == "250 us");
  CHECK(human_time(2000) == "2.00 ms");
  CHECK(human_time(90e6) == "1m 30s");
  CHECK(human_time(90061e6) == "1d 1h");
  CHECK(human_time(0) == "0 s");
  CHECK(human_number(3.14159) == "3.14");
  CHECK(human_number(12345) == "12,345");
}

TEST_CASE("the status shows every member, in groups, with units by the end of the key") {
  auto text = render_status(R"({"version":"0.1.0","topics":3,"log":{"commits":1234567,"written_bytes":1536,
    "sync_us":250,"oldest_ms":90000,"fill_ratio":0.25,"poisoned":false,"epochs":[1,2],"segments":{"free":2}},
    "errors":{},"unknown_new_thing":null})");
  REQUIRE(text);
  CHECK(contains(*text, "version "));
  CHECK(contains(*text, "unknown new thing"));
  CHECK(contains(*text, "\nlog\n"));
  CHECK(contains(*text, "  commits "));
  CHECK(contains(*text, "1,234,567\n"));
  CHECK(contains(*text, "  written "));
  CHECK(contains(*text, "1.50 KiB\n"));
  CHECK(contains(*text, "250 us\n"));
  CHECK(contains(*text, "1m 30s\n"));
  CHECK(contains(*text, "25 %\n"));
  CHECK(contains(*text, "  poisoned "));
  CHECK(contains(*text, " no\n"));
  CHECK(contains(*text, "1, 2\n"));
  CHECK(contains(*text, "\nlog segments\n"));
  CHECK_FALSE(contains(*text, "errors"));
}

TEST_CASE("a count and a size of the same name are told apart") {
  auto text = render_status(R"({"objects":{"dead_bytes":2048,"dead":3,"stored_bytes":1}})");
  REQUIRE(text);
  CHECK(contains(*text, "  dead bytes  2.00 KiB\n  dead        3\n  stored      1 B\n"));
}

TEST_CASE("a status that is broken or hostile is refused or shown harmlessly") {
  CHECK(render_status("").error().code == Errc::kCorrupt);
  CHECK(render_status("[1]").error().code == Errc::kCorrupt);
  CHECK(render_status("{\"a\":").error().code == Errc::kCorrupt);
  CHECK(contains(*render_status("{\"a\\u001b\":\"\\u001b[31m\"}"), "a?"));
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  CHECK(render_status(deep + "1" + std::string(100'000, '}')));
}

TEST_CASE("mounts of topicfs are found in the kernel's list, with escapes undone") {
  auto found = topicfs_mounts(
      "/dev/sda / ext4 rw 0 0\ntopicfs /mnt/a fuse.topicfs rw,nosuid 0 0\n"
      "file:/x /mnt/with\\040space fuse.topicfs rw 0 0\nx /mnt/b fuse.other rw 0 0\nbroken\n");
  CHECK(found == std::vector<std::string>{"/mnt/a", "/mnt/with space"});
}

TEST_CASE("without a name the only mount is taken, and several are listed") {
  CHECK(*choose_mount("/x", {"/a", "/b"}) == "/x");
  CHECK(*choose_mount("", {"/a"}) == "/a");
  CHECK(choose_mount("", {}).error().code == Errc::kNotFound);
  auto several = choose_mount("", {"/a", "/b"});
  REQUIRE_FALSE(several);
  CHECK(contains(several.error().what, "/a"));
  CHECK(contains(several.error().what, "/b"));
}

TEST_CASE("a directory that is no mount is named as such") {
  TemporaryDirectory scratch;
  auto status = read_status(scratch.path());
  REQUIRE_FALSE(status);
  CHECK(contains(status.error().message(), "is not a topicfs mount point"));
}

TEST_CASE("topics are listed with partitions and sizes, and .topicfs is none") {
  TemporaryDirectory scratch;
  for (auto name : {"orders", "empty", ".topicfs"})
    std::filesystem::create_directory(scratch.path() + "/" + name);
  std::ofstream(scratch.path() + "/orders/0") << std::string(1536, 'x');
  std::ofstream(scratch.path() + "/orders/1") << "";
  std::ofstream(scratch.path() + "/orders/0.follow") << "not a partition";
  auto text = render_topics(scratch.path());
  REQUIRE(text);
  CHECK(contains(*text, "orders           2    1.50 KiB  20"));
  CHECK(contains(*text, "empty            0         0 B  -"));
  CHECK_FALSE(contains(*text, ".topicfs"));
  CHECK(render_topics(scratch.path() + "/none").error().code == Errc::kNotFound);
}
