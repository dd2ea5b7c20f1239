#include "bench/read_load.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>

#include "base/unique_fd.h"

namespace topicfs::bench {

Result<Run> read_whole(const std::string& file, size_t request_bytes, Clock& clock) {
  if (request_bytes < 1 || request_bytes > kMaxRequestBytes)
    return fail(Errc::kInvalidArgument, "request size: 1 to " + std::to_string(kMaxRequestBytes) + " bytes");
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + file, errno);
  const auto buffer = std::make_unique<char[]>(request_bytes);  // touched once before the clock runs
  Run run;
  std::vector<float> samples;
  TRY_ASSIGN(const double cpu_before, machine_cpu_seconds());
  const MonotonicTime start = clock.now();
  for (MonotonicTime before = start;;) {
    const ssize_t got = ::read(fd.get(), buffer.get(), request_bytes);
    if (got < 0) return fail_errno("cannot read " + file, errno);
    if (got == 0) break;
    const MonotonicTime after = clock.now();
    samples.push_back(std::chrono::duration<float, std::micro>(after - before).count());
    before = after;
    ++run.operations;
    run.bytes += static_cast<uint64_t>(got);
  }
  run.seconds = std::chrono::duration<double>(clock.now() - start).count();
  TRY_ASSIGN(const double cpu_after, machine_cpu_seconds());
  run.cpu_seconds = cpu_after - cpu_before;
  run.p50_us = quantile(samples, 0.5), run.p99_us = quantile(samples, 0.99);
  return run;
}

}  // namespace topicfs::bench
