// The log beside the disk that it writes to, and beside itself with more partitions: appends through the engine with its
// real threads and files, and a store that keeps nothing, so that the disk has the log alone to serve. Groups of
// lines, each with a ratio to its first. Usage: log_bench [DIRECTORY [ROUNDS]]
#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "base/lent_thread.h"
#include "bench/figures.h"
#include "io/direct_file.h"
#include "io/sync_probe.h"
#include "pool/pool_warmer.h"
#include "object/object_store.h"
#include "support/batches.h"
#include "support/real_engine.h"
#include "support/temporary_directory.h"

using namespace topicfs;
using namespace topicfs::bench;

namespace {

constexpr double kRunForSeconds = 2;
constexpr size_t kSegmentBytes = 64 << 20, kRawBytes = 1 << 20;
constexpr int kManyPartitions = 100'000;

/// Everything is stored at once and never asked for.
class NowhereStore final : public ObjectStore {
 public:
  void put(std::string, std::vector<ByteSpan>, Overwrite, Completion<void> done) override { done({}); }
  void get(std::string key, ObjectRange, Completion<ObjectBytes> done) override { done(fail(Errc::kNotFound, key)); }
  void get_tail(std::string key, uint64_t, Completion<ObjectBytes> done) override { done(fail(Errc::kNotFound, key)); }
  void list(std::string, std::string, Completion<std::vector<ListedObject>> done) override { done({}); }
  void remove(std::string, Completion<void> done) override { done({}); }
  StoreCounters counters() const override { return {}; }
  std::string url() const override { return "nowhere:"; }
};

double now() { return std::chrono::duration<double>(system_clock().now()).count(); }

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

/// `threads` threads do `once(thread, n)`, which moves `bytes`, for a while.
Run run_threads(int threads, uint64_t bytes, const std::function<void(int thread, uint64_t n)>& once) {
  std::vector<std::vector<float>> samples(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  Run run;
  const double cpu_before = machine_cpu_seconds().value_or(0), start = now(), end = start + kRunForSeconds;
  for (int t = 0; t < threads; t++) {
    running.emplace_back([&, t] {
      double before = now();
      for (uint64_t n = 0; before < end; n++) {
        once(t, n);
        const double after = now();
        samples[static_cast<size_t>(t)].push_back(static_cast<float>((after - before) * 1e6));
        before = after;
      }
    });
  }
  for (auto& t : running) t.join();
  run.seconds = now() - start;
  run.cpu_seconds = machine_cpu_seconds().value_or(0) - cpu_before;
  std::vector<float> all;
  for (auto& s : samples) all.insert(all.end(), s.begin(), s.end());
  run.operations = all.size();
  run.bytes = run.operations * bytes;
  run.p50_us = quantile(all, 0.5);
  run.p99_us = quantile(all, 0.99);
  return run;
}

/// The limit: one write after another, each made durable, to a file of a segment's size that is written already.
class RawDisk {
 public:
  explicit RawDisk(const std::string& directory) : files_(make_posix_file_system()), path_(directory + "/raw") {
    auto probed = probe_sync_method(*files_, directory, system_clock());
    MUST(probed);
    method_ = probed->method;
    auto file = files_->open(path_, OpenMode::create, method_);
    MUST(file);
    file_ = std::move(*file);
    for (size_t at = 0; at < kSegmentBytes; at += kRawBytes) MUST(file_->write_at(at, {ByteSpan(memory_.get(), kRawBytes)}));
    MUST(file_->sync());
  }
  ~RawDisk() { (void)files_->remove(path_); }

  std::string_view method() const { return name_of(method_); }
  Run run(size_t bytes) {
    return run_threads(1, bytes, [&](int, uint64_t n) {
      MUST(file_->write_at(n * bytes % kSegmentBytes, {ByteSpan(memory_.get(), bytes)}));
      MUST(file_->sync());
    });
  }

 private:
  std::unique_ptr<FileSystem> files_;
  std::string path_;
  SyncMethod method_{};
  std::unique_ptr<File> file_;
  // Small pages, as a plain program has them.
  std::unique_ptr<std::byte, decltype(&std::free)> memory_{
      static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, kRawBytes)), &std::free};
};

/// Tells a thread that its append is answered.
struct Answered {
  std::binary_semaphore semaphore{0};
  auto completion() {
    return [this](Result<Appended> r) {
      MUST(r);
      semaphore.release();
    };
  }
};

/// Durable lines of 1 KB, one at a time from each thread, over all the partitions.
Run append_lines(RealEngine& engine, const std::vector<PartitionId>& partitions, int threads) {
  const std::string line = std::string(1023, 'x') + "\n";
  const ByteSpan piece = as_byte_span(line);
  return run_threads(threads, line.size(), [&](int thread, uint64_t n) {
    Answered answered;
    {
      LentThread lent;
      const size_t at = (n * static_cast<uint64_t>(threads) + static_cast<uint64_t>(thread)) % partitions.size();
      engine->append_text(partitions[at], {&piece, 1}, LastLine::complete, {}, answered.completion());
    }
    answered.semaphore.acquire();
  });
}

/// Commits of a little less than 1 MiB, as many as `threads` in flight.
Run append_batches(RealEngine& engine, const std::vector<PartitionId>& partitions, int threads, const std::string& batch) {
  return run_threads(threads, batch.size(), [&](int thread, uint64_t) {
    Answered answered;
    engine->append_batch(partitions[static_cast<size_t>(thread)], as_byte_span(batch), {}, answered.completion());
    answered.semaphore.acquire();
  });
}

void print_group(const char* title, const std::vector<std::string>& targets, int rounds,
                 const std::function<Run(const std::string&)>& run) {
  auto measured = by_turns(targets, rounds, [&](const std::string& target) -> Result<Run> { return run(target); });
  MUST(measured);
  fmt::print("\n{}\n{}", title, render(std::move(*measured)));
  std::fflush(stdout);
}

std::string batch_of_1000_byte_records() {
  std::vector<testing::TestRecord> records(1030);
  for (auto& r : records) r.value = std::string(1000, 'v');
  return testing::encode_batch(records);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) ::setenv("TMPDIR", argv[1], 1);
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  TemporaryDirectory directory;
  RawDisk raw(directory.path());
  EngineOptions options;
  options.data_dir = directory.path() + "/data";
  RealEngine engine(options, std::make_unique<NowhereStore>());
  PoolWarmer warmer(engine->pool());
  const std::vector<PartitionId> few = engine.make_topic("few", 16), more = engine.make_topic("more", 1000);
  const std::vector<PartitionId> one = {few.front()};

  // The log writes its files for the first time only once: a run that waits for that says nothing of the next.
  const std::string batch = batch_of_1000_byte_records();
  for (uint64_t written = 0; written < options.wal_max_bytes;) written += append_batches(engine, few, 4, batch).bytes;

  fmt::print("disk: {}\n", raw.method());
  print_group("one appender, 1 KB, durable; a block of 4 KiB on the disk", {"disk", "log"}, rounds,
              [&](const std::string& target) { return target == "disk" ? raw.run(4096) : append_lines(engine, one, 1); });
  print_group("commits of 1 MiB", {"disk", "log, 2 in flight", "log, 4 in flight"}, rounds, [&](const std::string& target) {
    return target == "disk" ? raw.run(1 << 20) : append_batches(engine, few, target == "log, 2 in flight" ? 2 : 4, batch);
  });
  print_group("16 appenders, 1 KB, durable", {"16 partitions", "1000 partitions"}, rounds, [&](const std::string& target) {
    return append_lines(engine, target == "16 partitions" ? few : more, 16);
  });
  const double before = resident_bytes();
  std::vector<PartitionId> many;
  for (int topic = 0; topic < kManyPartitions / 10'000; topic++) {
    auto made = engine.make_topic("many" + std::to_string(topic), 10'000);
    many.insert(many.end(), made.begin(), made.end());
  }
  fmt::print("\nan idle partition takes {:.0f} bytes\n", (resident_bytes() - before) / kManyPartitions);
  print_group("16 appenders, 1 KB, durable", {"16 partitions", "100000 partitions"}, rounds, [&](const std::string& target) {
    return append_lines(engine, target == "16 partitions" ? few : many, 16);
  });
  return 0;
}
