// topicfsctl(1): looks at a running topicfs through its mount, for which it needs no right but to read there; checks
// and repairs the data of one that is not running.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include "ctl/main_checks.h"
#include "ctl/mounts.h"
#include "ctl/read_file.h"
#include "ctl/status_view.h"
#include "ctl/topics_view.h"

namespace {

using namespace topicfs;
using namespace topicfs::ctl;

constexpr int kExitFailure = 1, kExitUsage = 2;

enum class Form { people, json };

Result<std::string> find_mount(const std::string& named) {
  if (!named.empty()) return named;
  TRY_ASSIGN(std::string mounts, read_small_file("/proc/self/mounts"));
  return choose_mount(named, topicfs_mounts(mounts));
}

Result<std::string> status_text(const std::string& named, Form form) {
  TRY_ASSIGN(std::string mountpoint, find_mount(named));
  TRY_ASSIGN(std::string json, read_status(mountpoint));
  if (form == Form::people) return render_status(json);
  if (!json.ends_with('\n')) json += '\n';
  return json;
}

Result<std::string> topics_text(const std::string& named) {
  TRY_ASSIGN(std::string mountpoint, find_mount(named));
  TRY(read_status(mountpoint));  // so that a directory which is no mount is refused
  return render_topics(mountpoint);
}

int report(const Result<std::string>& text) {
  if (!text) {
    std::fprintf(stderr, "topicfsctl: %s\n", text.error().message().c_str());
    return text.error().code == Errc::kInvalidArgument ? kExitUsage : kExitFailure;
  }
  bool written =
      std::fwrite(text->data(), 1, text->size(), stdout) == text->size() && std::fflush(stdout) == 0;
  if (!written) std::perror("topicfsctl: cannot write the output");
  return written ? 0 : kExitFailure;
}

/// Where the data is, for the commands that read it themselves.
void add_places(CLI::App& command, CheckOptions& options) {
  command.add_option("--store", options.store_url, "file:DIR or s3://BUCKET[/PREFIX]");
  command.add_option("--s3-endpoint", options.s3.endpoint, "As of topicfs");
  command.add_option("--s3-region", options.s3.region, "As of topicfs");
  command.add_option("--s3-path-style", options.s3.path_style, "As of topicfs: auto, yes, no")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Choice>{{"auto", Choice::automatic}, {"yes", Choice::yes}, {"no", Choice::no}}));
}

int run(int argc, char** argv) {
  CLI::App app{"topicfsctl: looks at a topicfs, checks and repairs its data; see topicfsctl(1)"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "topicfsctl " TOPICFS_VERSION);
  std::string mountpoint;
  bool json = false;
  CheckOptions check;
  CLI::App* status = app.add_subcommand("status", "Show the counters of the daemon");
  status->add_flag("--json", json, "Print the daemon's JSON as it is");
  CLI::App* topics =
      app.add_subcommand("topics", "List topics, their partitions, and the size of their text");
  for (CLI::App* command : {status, topics}) {
    command->add_option("MOUNTPOINT", mountpoint,
                        "Where topicfs is mounted; not needed if there is one mount only");
  }
  CLI::App* verify = app.add_subcommand("verify", "Check the log and every object, without a daemon");
  verify->add_option("--data-dir", check.data_dir, "Of a topicfs that is not running");
  add_places(*verify, check);
  CLI::App* repair = app.add_subcommand("repair", "Cut a damaged log where it ceases to be whole");
  repair->add_option("--data-dir", check.data_dir, "Of a topicfs that is not running")->required();
  repair->add_flag("--yes", check.yes, "Do not ask");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (verify->parsed()) return run_verify(check);
  if (repair->parsed()) return run_repair(check);
  return report(status->parsed() ? status_text(mountpoint, json ? Form::json : Form::people)
                                 : topics_text(mountpoint));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "topicfsctl: %s\n", error.what());
    return kExitFailure;
  }
}
