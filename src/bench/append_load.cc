#include "bench/append_load.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>

#include "base/unique_fd.h"

namespace topicfs::bench {
namespace {

constexpr size_t kSamples = 1 << 16;  // of latency, a ring for each thread

struct Tally {
  uint64_t operations = 0;
  std::vector<float> samples_us;
  std::optional<Error> error;
};

Result<std::vector<UniqueFd>> open_files(const std::string& directory, const AppendLoad& load) {
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("cannot make " + directory, errno);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (load.durability == Durability::dsync ? O_DSYNC : 0);
  std::vector<UniqueFd> files;
  for (int i = 0; i < load.files; ++i) {
    const std::string path = directory + "/" + std::to_string(i);
    UniqueFd fd(::open(path.c_str(), flags, 0644));
    if (!fd) return fail_errno("cannot open " + path, errno);
    files.push_back(std::move(fd));
  }
  return files;
}

std::optional<Error> append_line(int fd, const std::string& line, Durability durability) {
  for (size_t done = 0; done < line.size();) {  // the rest of a short write tells why it was short
    const ssize_t written = ::write(fd, line.data() + done, line.size() - done);
    if (written < 0) return Error{Errc::kIo, errno, done == 0 ? "write failed" : "write was short, the rest of it failed"};
    done += static_cast<size_t>(written);
  }
  if (durability == Durability::sync && ::fdatasync(fd) != 0) return Error{Errc::kIo, errno, "fdatasync failed"};
  return std::nullopt;
}

Tally append_until(MonotonicTime end, size_t thread, const std::vector<UniqueFd>& files, const AppendLoad& load,
                   Clock& clock) {
  Tally tally;
  const std::string line = std::string(load.line_bytes - 1, static_cast<char>('a' + thread % 26)) + "\n";
  MonotonicTime before = clock.now();
  for (size_t i = thread; before < end; i += static_cast<size_t>(load.threads)) {
    if ((tally.error = append_line(files[i % files.size()].get(), line, load.durability))) break;
    const MonotonicTime after = clock.now();
    const float us = std::chrono::duration<float, std::micro>(after - before).count();
    if (tally.samples_us.size() < kSamples)
      tally.samples_us.push_back(us);
    else
      tally.samples_us[tally.operations % kSamples] = us;
    ++tally.operations;
    before = after;
  }
  return tally;
}

Result<void> check(const AppendLoad& load) {
  if (load.files < 1 || load.files > kMaxFiles)
    return fail(Errc::kInvalidArgument, "files: 1 to " + std::to_string(kMaxFiles));
  if (load.threads < 1 || load.threads > kMaxThreads)
    return fail(Errc::kInvalidArgument, "threads: 1 to " + std::to_string(kMaxThreads));
  if (load.line_bytes < 1) return fail(Errc::kInvalidArgument, "a line has at least its newline");
  if (!(load.seconds > 0)) return fail(Errc::kInvalidArgument, "seconds: more than 0");
  return {};
}

}  // namespace

Result<Run> append(const std::string& directory, const AppendLoad& load, Clock& clock) {
  TRY(check(load));
  TRY_ASSIGN(const std::vector<UniqueFd> files, open_files(directory, load));
  TRY_ASSIGN(const double cpu_before, machine_cpu_seconds());
  const MonotonicTime start = clock.now();
  const MonotonicTime end = start + std::chrono::duration_cast<MonotonicTime>(std::chrono::duration<double>(load.seconds));
  std::vector<Tally> tallies(static_cast<size_t>(load.threads));
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < tallies.size(); ++t)
      threads.emplace_back([&, t] { tallies[t] = append_until(end, t, files, load, clock); });
  }
  Run run;
  run.seconds = std::chrono::duration<double>(clock.now() - start).count();
  TRY_ASSIGN(const double cpu_after, machine_cpu_seconds());
  run.cpu_seconds = cpu_after - cpu_before;
  std::vector<float> samples;
  for (Tally& tally : tallies) {
    if (tally.error) return fail(tally.error->code, directory + ": " + tally.error->what, tally.error->sys_errno);
    run.operations += tally.operations;
    samples.insert(samples.end(), tally.samples_us.begin(), tally.samples_us.end());
  }
  run.bytes = run.operations * load.line_bytes;
  run.p50_us = quantile(samples, 0.5), run.p99_us = quantile(samples, 0.99);
  return run;
}

}  // namespace topicfs::bench
