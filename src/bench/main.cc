// topicfs-bench(1): how fast a mount takes and gives lines, beside whatever else is named.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/append_load.h"
#include "bench/figures.h"
#include "bench/read_load.h"

namespace {

using namespace topicfs;
using namespace topicfs::bench;

constexpr int kExitFailure = 1, kExitUsage = 2;

int report(Result<std::vector<Measured>> measured) {
  if (!measured) {
    std::fprintf(stderr, "topicfs-bench: %s\n", measured.error().message().c_str());
    return measured.error().code == Errc::kInvalidArgument ? kExitUsage : kExitFailure;
  }
  std::fputs(render(std::move(*measured)).c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"topicfs-bench: measures appends and reads of a mount; see topicfs-bench(1)"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "topicfs-bench " TOPICFS_VERSION);
  int rounds = 3;
  std::vector<std::string> targets;
  AppendLoad load;
  size_t request_bytes = 1 << 20;

  CLI::App* append_verb = app.add_subcommand("append", "Append lines to files 0, 1, ... of each DIRECTORY");
  append_verb->add_option("DIRECTORY", targets, "A topic of a mount, or any directory; made if it is not there")->required();
  append_verb->add_option("--files", load.files, "Files, which are partitions")->capture_default_str();
  append_verb->add_option("--threads", load.threads, "Threads that append")->capture_default_str();
  append_verb->add_option("--size", load.line_bytes, "Bytes of a line, with its newline")->capture_default_str();
  append_verb->add_option("--seconds", load.seconds, "Length of one run")->capture_default_str();
  append_verb->add_option("--durability", load.durability, "none, sync (fdatasync after each line), or dsync (O_DSYNC)")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Durability>{{"none", Durability::none}, {"sync", Durability::sync}, {"dsync", Durability::dsync}}));
  CLI::App* read_verb = app.add_subcommand("read", "Read each FILE from its beginning to its end");
  read_verb->add_option("FILE", targets, "A partition, or any file")->required();
  read_verb->add_option("--size", request_bytes, "Bytes of one read")->capture_default_str();
  for (CLI::App* verb : {append_verb, read_verb})
    verb->add_option("--rounds", rounds, "Runs of each target, by turns; the median is shown")
        ->check(CLI::Range(1, 1000))->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (append_verb->parsed())
    return report(by_turns(targets, rounds, [&](const std::string& d) { return append(d, load, system_clock()); }));
  return report(by_turns(targets, rounds, [&](const std::string& f) { return read_whole(f, request_bytes, system_clock()); }));
}
