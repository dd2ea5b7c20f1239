// What a benchmark says: runs of several targets by turns, their medians, and each one beside the first.
#pragma once

#include <topicfs/result.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace topicfs::bench {

/// One run of one target.
struct Run {
  double seconds = 0;      ///< wall time
  uint64_t operations = 0;
  uint64_t bytes = 0;
  double p50_us = 0;       ///< of one operation
  double p99_us = 0;
  double cpu_seconds = 0;  ///< of the whole machine: the daemon's share cannot be told from the caller's
};

/// Processor time that the whole machine has spent since it started, in seconds. kIo.
Result<double> machine_cpu_seconds();

/// Sorts `samples`. The value below which `share` (0 to 1) of them lie; 0 if there is none.
double quantile(std::vector<float>& samples, double share);

/// The middle one by bytes per second; of an even number the lower. `runs` is not empty.
const Run& median(std::vector<Run>& runs);

struct Measured {
  std::string target;
  std::vector<Run> runs;  ///< at least one
};

/// Runs every target once a round, by turns, so that what else the machine does strikes them alike; the first
/// error ends it. `rounds` >= 1.
Result<std::vector<Measured>> by_turns(const std::vector<std::string>& targets, int rounds,
                                       const std::function<Result<Run>(const std::string& target)>& run);

/// A table with a line for each target: the median run, and its bytes per second as a ratio to the first target's.
std::string render(std::vector<Measured> measured);

}  // namespace topicfs::bench
