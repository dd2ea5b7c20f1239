// The simulation's program: runs seeds, each in a process of its own, so that a bug that ends the process is a finding
// like any other; makes a failing plan shorter; prints what reproduces it.
#include <fmt/core.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>

#include "base/clock.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "sim/simulation.h"

using namespace topicfs;
using namespace topicfs::sim;

namespace {

constexpr time_t kSecondsPerRun = 60;  // of the processor's; then it hangs

struct Options {
  uint64_t seed = 1, runs = 1, steps = 600, kinds = kKinds;
  size_t lines = 60;       // of a shortened trace
  double seconds = 0;       // 0: as many runs as asked for
  bool trace = false, shorten = true, twice = false;
  std::string only, found;
  bool planted = false;
};

struct Run {
  Outcome outcome;
  bool died = false;
  std::string output;
};

std::string last_lines(const std::string& text, size_t count) {
  size_t at = text.size();
  while (at > 0 && count > 0 && at != std::string::npos) {
    at = text.rfind('\n', at - 1);
    count--;
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

/// In a child, which writes what came out into a pipe.
Run run_apart(uint64_t seed, const std::vector<Step>& plan, bool trace) {
  std::fflush(stdout);
  int fds[2];
  if (::pipe(fds) != 0) std::abort();
  pid_t child = ::fork();
  if (child == 0) {
    ::close(fds[0]);
    ::dup2(fds[1], 1);
    ::dup2(fds[1], 2);  // the last words of a bug go the same way
    const itimerval limit{{0, 0}, {kSecondsPerRun, 0}};
    ::setitimer(ITIMER_PROF, &limit, nullptr);
    auto* simulation = new Simulation(seed, plan, trace);  // not taken apart: a failure may leave it in any state
    Outcome o = simulation->run();
    std::fflush(stdout);
    std::string all = fmt::format("\n\x01{} {} {} {} {} {}", o.failed_step, o.hash, o.crashes, o.appends, o.objects, o.failure);
    (void)!::write(fds[1], all.data(), all.size());
    ::_exit(0);
  }
  ::close(fds[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = ::read(fds[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  ::close(fds[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  Run run;
  size_t at = text.rfind('\x01');
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && at != std::string::npos) {
    std::istringstream in(text.substr(at + 1));
    in >> run.outcome.failed_step >> run.outcome.hash >> run.outcome.crashes >> run.outcome.appends >> run.outcome.objects;
    in.get();
    std::getline(in, run.outcome.failure, '\0');
    run.output = text.substr(0, at);
    return run;
  }
  run.died = true;
  run.outcome.failed_step = plan.size();
  run.output = text;
  std::string words = last_lines(text, 3);
  run.outcome.failure = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF
                            ? fmt::format("it hangs: {}", words)
                            : fmt::format("the process died ({}): {}", WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "exit", words);
  return run;
}

/// What two failures have in common if they are of one kind: the beginning, without its numbers.
std::string kind_of(const std::string& failure) {
  std::string kind;
  for (char c : failure.substr(0, 400))
    if (!std::isdigit(static_cast<unsigned char>(c))) kind += c;
  size_t bug = kind.find("bug:");
  return bug == std::string::npos ? kind.substr(0, 24) : kind.substr(bug, 60);
}

/// Leaves out halves, quarters, ... and single steps, as long as the failure stays.
std::vector<Step> shorten(uint64_t seed, std::vector<Step> plan, Run& failing) {
  if (failing.outcome.failed_step + 1 < plan.size()) plan.resize(failing.outcome.failed_step + 1);
  auto until = system_clock().now() + std::chrono::seconds(60);
  for (size_t piece = std::max<size_t>(1, plan.size() / 2); piece > 0; piece /= 2) {
    for (size_t at = 0; at < plan.size() && system_clock().now() < until;) {
      std::vector<Step> fewer(plan.begin(), plan.begin() + static_cast<ptrdiff_t>(at));
      if (at + piece < plan.size()) fewer.insert(fewer.end(), plan.begin() + static_cast<ptrdiff_t>(at + piece), plan.end());
      Run run = run_apart(seed, fewer, false);
      if (run.outcome.failure.empty() || kind_of(run.outcome.failure) != kind_of(failing.outcome.failure)) {
        at += piece;
        continue;
      }
      if (run.outcome.failed_step + 1 < fewer.size()) fewer.resize(run.outcome.failed_step + 1);
      plan = std::move(fewer);
      failing = std::move(run);
    }
  }
  return plan;
}

/// Of the checkout that this runs in.
std::string commit() {
  std::string name;
  if (FILE* git = ::popen("git rev-parse --short HEAD 2>/dev/null", "r")) {
    for (int c; (c = std::fgetc(git)) != EOF && c != '\n';) name += static_cast<char>(c);
    ::pclose(git);
  }
  return name.empty() ? "unknown" : name;
}

bool run_seed(uint64_t seed, const Options& o, Outcome& total) {
  std::vector<Step> plan = make_plan(seed, o.steps, o.kinds);
  uint32_t checksum = checksum_of(plan);
  if (!o.only.empty()) plan = only(std::move(plan), o.only);
  Run run = run_apart(seed, plan, o.trace && !o.shorten);
  total.crashes += run.outcome.crashes, total.appends += run.outcome.appends, total.objects += run.outcome.objects;
  if (o.twice && !run.died && run_apart(seed, plan, false).outcome.hash != run.outcome.hash)
    run.outcome.failure = "the same plan went differently the second time: something is not simulated";
  if (o.trace && !o.shorten) fmt::print("{}", run.output);
  if (run.outcome.failure.empty()) return true;
  fmt::print("seed {} failed at step {} of {}: {}\n", seed, run.outcome.failed_step, plan.size(), run.outcome.failure);
  std::string again = fmt::format("tools/sim --seed {} --steps {}", seed, o.steps);
  if (o.kinds != kKinds) again += fmt::format(" --kinds {}", o.kinds);
  fmt::print("  commit {}; again: {}\n  for found_seeds.txt: {} {} {} {:08x}\n", commit(), again, o.kinds, seed, o.steps, checksum);
  if (!o.shorten) return false;
  plan = shorten(seed, std::move(plan), run);
  fmt::print("  made shorter: {} --only {}: {}\n", again, numbers_of(plan), run.outcome.failure);
  fmt::print("{}", last_lines(run_apart(seed, plan, true).output, o.lines));
  return false;
}

/// Seeds that have found something before, each with the plan that found it.
int run_found(const Options& o) {
  std::ifstream in(o.found);
  if (!in) return fmt::print(stderr, "cannot read {}\n", o.found), 2;
  uint64_t runs = 0, failed = 0;
  Outcome total;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    uint64_t seed;
    uint32_t checksum;
    Options one = o;
    if (!(words >> one.kinds >> seed >> one.steps >> std::hex >> checksum)) continue;
    runs++;
    one.kinds = std::min<uint64_t>(one.kinds, kKinds);
    if (uint32_t now = checksum_of(make_plan(seed, one.steps, one.kinds)); now != checksum)
      fmt::print("{}: the seed has another plan now, {:08x}: see make_plan\n", line, now), failed++;
    else if (!run_seed(seed, one, total)) failed++;
  }
  fmt::print("{} seeds that have found bugs: {} appends, {} crashes; {} failed\n", runs, total.appends, total.crashes, failed);
  return failed == 0 && runs > 0 ? 0 : 1;
}

#ifdef TOPICFS_PLANTED_BUGS
constexpr const char* kPlantedNames[kPlantedBugs] = {
    "none", "acknowledge_before_sync", "skip_epoch_check", "ignore_chain", "continue_in_found_segment",
    "publish_before_second_sync", "reuse_key", "go_on_after_failed_sync", "order_by_wake_up", "no_directory_sync",
    "fetch_not_durable", "answer_duplicate_early", "delete_before_upload", "free_before_checkpoint", "leave_orphans"};

/// Each bug in turn, until a seed finds it; at most `runs` seeds.
int run_planted(const Options& o) {
  int missed = 0;
  for (int bug = 1; bug < kPlantedBugs; bug++) {
    if (!o.only.empty() && o.only != kPlantedNames[bug]) continue;
    std::string found;
    uint64_t runs = 0;
    for (; found.empty() && runs < o.runs; runs++) {
      std::vector<Step> plan = make_plan(o.seed + runs, o.steps);
      planted_bug = static_cast<PlantedBug>(bug);
      found = run_apart(o.seed + runs, plan, false).outcome.failure;
      planted_bug = PlantedBug::none;
      if (!found.empty() && !run_apart(o.seed + runs, plan, false).outcome.failure.empty()) found.clear();  // not by it
    }
    missed += found.empty();
    fmt::print("{:28} {} {} seeds: {}\n", kPlantedNames[bug], found.empty() ? "NOT FOUND in" : "found with", runs,
               found.substr(0, 140));
  }
  return missed == 0 ? 0 : 1;
}
#endif

uint64_t number(const char* text) { return std::strtoull(text, nullptr, 0); }

}  // namespace

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i++) {
    std::string name = argv[i];
    auto value = [&] { return i + 1 < argc ? argv[++i] : ""; };
    if (name == "--seed") o.seed = number(value());
    else if (name == "--fresh") o.seed = std::random_device()() & 0x3fffffff;
    else if (name == "--runs") o.runs = number(value());
    else if (name == "--steps") o.steps = number(value());
    else if (name == "--kinds") o.kinds = std::min<uint64_t>(number(value()), kKinds);
    else if (name == "--seconds") o.seconds = std::atof(value());
    else if (name == "--only") o.only = value();
    else if (name == "--found") o.found = value();
    else if (name == "--planted") o.planted = true;
    else if (name == "--lines") o.lines = number(value());
    else if (name == "--trace") o.trace = true;
    else if (name == "--whole") o.shorten = false;
    else if (name == "--twice") o.twice = true;
    else {
      fmt::print(stderr, "sim [--seed N | --fresh] [--runs N] [--steps M] [--kinds K] [--seconds S] [--lines L] [--trace] [--whole] [--twice]\n");
      return 2;
    }
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  set_up_logging("sim", o.trace ? LogLevel::info : LogLevel::error);
  if (!o.found.empty()) return run_found(o);
  if (o.planted) {
#ifdef TOPICFS_PLANTED_BUGS
    return run_planted(o);
#else
    return fmt::print(stderr, "this build has no planted bugs: see sim_planted\n"), 2;
#endif
  }
  auto until = system_clock().now() + std::chrono::nanoseconds(static_cast<int64_t>(o.seconds * 1e9));
  uint64_t runs = 0, failed = 0;
  Outcome total;
  for (; o.seconds > 0 ? system_clock().now() < until : runs < o.runs; runs++) {
    if (run_seed(o.seed + runs, o, total)) continue;
    if (++failed >= 3) break;
  }
  fmt::print("seeds {} to {}, {} steps each: {} appends, {} crashes, {} objects; {} failed\n", o.seed, o.seed + runs - 1,
             o.steps, total.appends, total.crashes, total.objects, failed);
  return failed == 0 ? 0 : 1;
}
