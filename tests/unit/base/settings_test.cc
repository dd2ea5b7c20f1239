// From the table to the values: every row is sound, and every source is read in its turn.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/options.h"

using namespace topicfs;

namespace {

/// A configuration file that is gone when the test is over.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("topicfs-settings-test-" + std::to_string(::getpid()))) {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

StartInputs inputs(std::vector<std::string> arguments) {
  StartInputs in;
  in.arguments = std::move(arguments);
  in.config_file = "/nonexistent/topicfs.conf";
  in.environment["HOME"] = "/home/u";
  return in;
}

DaemonOptions daemon(std::vector<std::string> arguments) {
  auto start = read_daemon_options(inputs(std::move(arguments)));
  REQUIRE_MESSAGE(start, start.error().message());
  return start->options;
}

std::string error_of(const StartInputs& in) {
  auto start = read_daemon_options(in);
  REQUIRE_FALSE(start);
  return start.error().message();
}
std::string error_of(std::vector<std::string> arguments) { return error_of(inputs(std::move(arguments))); }

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every row of the table is sound: a name of its own, a default that is valid, a help text") {
  std::map<std::string_view, int> seen;
  for (const Setting& setting : all_settings()) {
    CAPTURE(setting.name);
    CHECK(++seen[setting.name] == 1);
    CHECK(setting.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos);
    CHECK(setting.programs != 0);
    CHECK_FALSE(setting.help.empty());
    CHECK(setting.help.back() == '.');
    if (!setting.default_value.empty()) {
      auto checked = check_value(setting, setting.default_value);
      CHECK_MESSAGE(checked, checked.error().message());
    }
  }
}

TEST_CASE("--help names every setting of its program and its default") {
  for (auto program : {Program::daemon, Program::gateway}) {
    std::string help = help_text(program);
    for (const Setting& setting : all_settings()) {
      CAPTURE(setting.name);
      CHECK(contains(help, "--" + std::string(setting.name)) == setting.belongs_to(program));
    }
    CHECK_FALSE(contains(help, "\n\n\n"));
  }
  CHECK(contains(help_text(Program::daemon), "[64MiB]"));
  CHECK(*read_daemon_options(inputs({"--help"}))->print == help_text(Program::daemon));
  CHECK(*read_daemon_options(inputs({"--version"}))->print == "topicfs " TOPICFS_VERSION "\n");
}

TEST_CASE("the command that scripts rely on is understood") {
  auto options =
      daemon({"--data-dir", "/d", "--store", "file:/s", "--kafka", "127.0.0.1:9092", "--foreground", "/mnt"});
  CHECK(options.data_dir == "/d");
  CHECK(options.store_url == "file:/s");
  CHECK(options.kafka.listen == Address{"127.0.0.1", 9092});
  CHECK(options.foreground);
  CHECK(options.mountpoint == "/mnt");
}

TEST_CASE("the defaults are those of the manual") {
  auto options = daemon({"/mnt"});
  CHECK(options.data_dir == "/home/u/.local/state/topicfs");
  CHECK(options.store_url == "file:/home/u/.local/state/topicfs/store");
  CHECK(options.wal_segment_bytes == 64u << 20);
  CHECK(options.wal_sync_interval == std::chrono::milliseconds(2));
  CHECK(options.pool_bytes == 512u << 20);
  CHECK(options.append_timeout == std::chrono::seconds(5));
  CHECK(options.offload_interval == std::chrono::seconds(60));
  CHECK(options.default_partitions == 1);
  CHECK_FALSE(options.foreground);
  CHECK_FALSE(options.kafka.listen);
  auto root = inputs({"/mnt"});
  root.is_root = true;
  CHECK(read_daemon_options(root)->options.data_dir == "/var/lib/topicfs");
}

TEST_CASE("a flag wins over the environment, that over the file, that over the default") {
  ConfigFile file("# comment\npool-size = 1GiB\nobject-size=1MiB\n\n  append-timeout =  7s  \n");
  auto in = inputs({"--pool-size=3GiB", "--config", file.path(), "/mnt"});
  in.environment["TOPICFS_POOL_SIZE"] = "2GiB";
  in.environment["TOPICFS_OBJECT_SIZE"] = "2MiB";
  auto start = read_daemon_options(in);
  REQUIRE_MESSAGE(start, start.error().message());
  CHECK(start->options.pool_bytes == 3ull << 30);
  CHECK(start->options.object_bytes == 2u << 20);
  CHECK(start->options.append_timeout == std::chrono::seconds(7));
  CHECK(start->options.shutdown_timeout == std::chrono::seconds(30));
}

TEST_CASE("the default file is read if it exists, a named one must exist") {
  ConfigFile file("pool-size = 1GiB\n");
  auto in = inputs({"/mnt"});
  in.config_file = file.path();
  CHECK(read_daemon_options(in)->options.pool_bytes == 1u << 30);
  CHECK(contains(error_of({"--config", "/nonexistent/x", "/mnt"}), "/nonexistent/x (--config)"));
}

TEST_CASE("an error names its source, and what would be right") {
  ConfigFile file("\npool-size = much\n");
  CHECK(contains(error_of({"--config", file.path(), "/mnt"}),
                 file.path() + ":2: pool-size: \"much\": expected a size"));
  ConfigFile unknown("poolsize = 1GiB\n");
  CHECK(contains(error_of({"--config", unknown.path(), "/mnt"}),
                 ":1: there is no setting \"poolsize\"; did you mean \"pool-size\""));
  auto in = inputs({"/mnt"});
  in.environment["TOPICFS_APPEND_TIMEOUT"] = "5";
  CHECK(contains(error_of(in),
                 "TOPICFS_APPEND_TIMEOUT in the environment: \"5\": expected a time with its unit"));
  CHECK(contains(error_of({"--pool-size", "1KiB", "/mnt"}), "--pool-size: \"1KiB\": must be from 16MiB to"));
  CHECK(contains(error_of({"--wal-segment-size=65MiB", "/mnt"}), "must be a power of two"));
  CHECK(contains(error_of({"--log-level=loud", "/mnt"}), "expected one of debug|info|warning|error"));
  CHECK(contains(error_of({"--pool-sise=1GiB", "/mnt"}),
                 "unknown option --pool-sise; did you mean --pool-size?"));
  CHECK(contains(error_of({"/mnt", "--store"}), "--store needs a value"));
  CHECK(daemon({"--pool-size", "1GiB", "--", "/mnt"}).mountpoint == "/mnt");
  CHECK(contains(error_of(std::vector<std::string>{}), "name the directory to mount on"));
  CHECK(contains(error_of({"topicfs", "/mnt", "more"}), "unexpected argument \"more\""));
}

TEST_CASE("what is wrong in a source is an error even if another source wins") {
  auto in = inputs({"--pool-size=1GiB", "/mnt"});
  in.environment["TOPICFS_POOL_SIZE"] = "lots";
  CHECK(contains(error_of(in), "TOPICFS_POOL_SIZE"));
}

TEST_CASE("contradictions are refused, and both sides are named") {
  CHECK(contains(error_of({"--store=file:/a", "--store=file:/b", "/mnt"}),
                 "\"file:/b\" contradicts \"file:/a\" (--store)"));
  CHECK(contains(error_of({"--wal-max-size=128MiB", "/mnt"}),
                 "at least four times wal-segment-size 64MiB (the default"));
  CHECK(contains(error_of({"--data-dir=/mnt/d", "/mnt"}), "lies in the mount point"));
  CHECK(contains(error_of({"--data-dir=/d", "--store=file:/d", "/mnt"}), "directory of its own"));
  CHECK(contains(error_of({"--s3-region=eu-west-1", "/mnt"}), "--s3-region: has no use"));
  CHECK(contains(error_of({"--advertised-listener=h:1", "/mnt"}), "without --kafka"));
  ConfigFile file("pool-size = 1GiB\npool-size = 2GiB\n");
  CHECK(contains(error_of({"--config", file.path(), "/mnt"}), ":2: pool-size"));
}

TEST_CASE("as a mount helper: a source, the mount point, and -o with settings and the kernel's options") {
  auto options = daemon({"s3://bucket/p", "/mnt", "-o",
                         "rw,nosuid,noauto,_netdev,x-systemd.automount,data-dir=/"
                         "d,kafka=127.0.0.1:9092,allow_other,foreground"});
  CHECK(options.store_url == "s3://bucket/p");
  CHECK(options.mountpoint == "/mnt");
  CHECK(options.data_dir == "/d");
  CHECK(options.kafka.listen->port == 9092);
  CHECK(options.allow_other == Choice::yes);
  CHECK(options.foreground);
  CHECK(options.kernel_options == std::vector<std::string>{"rw", "nosuid"});
  CHECK(daemon({"/srv/d", "/mnt"}).data_dir == "/srv/d");
  CHECK(daemon({"topicfs", "/mnt", "-o", "deleted=hole"}).deleted_is_hole);
  CHECK(daemon({"topicfs", "/mnt", "-o", "ro", "-o", "noexec"}).kernel_options ==
        std::vector<std::string>{"ro", "noexec"});
  CHECK(contains(error_of({"topicfs", "/mnt", "-o", "pool-size"}), "-o pool-size: \"\": needs a value"));
  CHECK(contains(error_of({"topicfs", "/mnt", "-o", "nonsense"}), "-o nonsense: there is no setting"));
  CHECK(contains(error_of({"elsewhere", "/mnt"}), "the source \"elsewhere\""));
}

TEST_CASE("an unknown TOPICFS_ variable is worth a warning, not an error") {
  auto in = inputs({"/mnt"});
  in.environment["TOPICFS_SERVICE_HOST"] = "10.0.0.1";
  auto start = read_daemon_options(in);
  REQUIRE(start);
  REQUIRE(start->warnings.size() == 1);
  CHECK(contains(start->warnings[0], "TOPICFS_SERVICE_HOST"));
}

TEST_CASE("the gateway reads what the daemon passes on") {
  auto options =
      daemon({"--data-dir=/d", "--kafka=[::1]:9092", "--advertised-listener=h:1", "--max-connections=7", "--max-fetch-sessions=5",
              "--auto-create-topics=no", "--log-level=debug", "--default-partitions=3", "--group-initial-rebalance-delay=0",
              "--group-min-session-timeout=1500ms", "--group-max-size=9", "/mnt"});
  auto start = read_gateway_options(inputs(gateway_arguments(options)));
  REQUIRE_MESSAGE(start, start.error().message());
  CHECK(start->options.data_dir == "/d");
  CHECK(start->options.log_level == LogLevel::debug);
  CHECK(start->options.kafka.listen == Address{"::1", 9092});
  CHECK(start->options.kafka.advertised == Address{"h", 1});
  CHECK(start->options.kafka.max_connections == 7);
  CHECK(start->options.kafka.max_fetch_sessions == 5);
  CHECK_FALSE(start->options.kafka.auto_create_topics);
  CHECK(start->options.kafka.default_partitions == 3);
  CHECK(start->options.kafka.max_request_bytes == 100u << 20);
  CHECK(start->options.kafka.groups.initial_rebalance_delay.count() == 0);
  CHECK(start->options.kafka.groups.min_session_timeout.count() == 1500);
  CHECK(start->options.kafka.groups.max_session_timeout == std::chrono::minutes(30));
  CHECK(start->options.kafka.groups.max_members == 9);
  CHECK(start->options.kafka.groups.offsets_retention == std::chrono::hours(168));
  CHECK_FALSE(read_gateway_options(inputs({"--kafka=h:1", "--group-min-session-timeout=1h"})));
  CHECK_FALSE(read_gateway_options(inputs({})));
  CHECK_FALSE(read_gateway_options(inputs({"--kafka=h:1", "--pool-size=1GiB"})));
}
