#include "bench/figures.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace topicfs::bench {
namespace {

double bytes_per_second(const Run& run) { return run.seconds > 0 ? static_cast<double>(run.bytes) / run.seconds : 0; }

}  // namespace

Result<double> machine_cpu_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal.
  double ticks[8] = {};
  file >> word;
  for (double& value : ticks) file >> value;
  if (!file || word != "cpu") return fail(Errc::kIo, "cannot read /proc/stat");
  const double busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6];
  return busy / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double quantile(std::vector<float>& samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto place = static_cast<size_t>(share * static_cast<double>(samples.size()));
  return static_cast<double>(samples[std::min(place, samples.size() - 1)]);
}

const Run& median(std::vector<Run>& runs) {
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return bytes_per_second(a) < bytes_per_second(b); });
  return runs[(runs.size() - 1) / 2];
}

Result<std::vector<Measured>> by_turns(const std::vector<std::string>& targets, int rounds,
                                       const std::function<Result<Run>(const std::string&)>& run) {
  std::vector<Measured> measured;
  for (const std::string& target : targets) measured.push_back({target, {}});
  for (int round = 0; round < rounds; ++round)
    for (Measured& m : measured) {
      TRY_ASSIGN(Run one, run(m.target));
      m.runs.push_back(one);
    }
  return measured;
}

std::string render(std::vector<Measured> measured) {
  size_t width = 6;
  for (const Measured& m : measured) width = std::max(width, m.target.size());
  std::string text = fmt::format("{:<{}} {:>10} {:>9} {:>9} {:>9} {:>9} {:>7}\n", "target", width, "ops/s", "MB/s",
                                 "p50 us", "p99 us", "CPU s/GB", "ratio");
  double first = 0;
  for (Measured& m : measured) {
    const Run& run = median(m.runs);
    const double speed = bytes_per_second(run);
    if (first == 0) first = speed;
    text += fmt::format("{:<{}} {:>10.0f} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.2f} {:>7.2f}\n", m.target, width,
                        static_cast<double>(run.operations) / std::max(run.seconds, 1e-9), speed / 1e6, run.p50_us,
                        run.p99_us, run.bytes > 0 ? run.cpu_seconds * 1e9 / static_cast<double>(run.bytes) : 0,
                        first > 0 ? speed / first : 0);
  }
  return text;
}

}  // namespace topicfs::bench
