// What the socket between gateway and daemon costs: round trips one at a time and many in flight, over
// the engine in memory, whose own cost is measured first. Client and server share this process and its
// processors, as the two programs share a machine.
#include <fmt/core.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <condition_variable>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/client.h"
#include "ipc/server.h"
#include "ipc/shared_memory.h"
#include "support/memory_batch.h"
#include "support/memory_engine.h"

using namespace topicfs;

namespace {

/// At most `limit` requests in flight.
class Window {
 public:
  explicit Window(int limit) : left_(limit), limit_(limit) {}
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ > 0; });
    --left_;
  }
  void leave() {
    std::lock_guard lock(mutex_);
    ++left_;
    changed_.notify_one();
  }
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return left_ == limit_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int left_;
  const int limit_;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](timeval t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <class Send>
void measure(const char* what, int count, int in_flight, Send send) {
  Window window(in_flight);
  auto begin = system_clock().now();
  double cpu = cpu_seconds();
  for (int i = 0; i < count; ++i) {
    window.enter();
    send([&window](auto result) {
      if (!result) fmt::print("failed: {}\n", result.error().what), ::abort();
      window.leave();
    });
  }
  window.drain();
  double seconds = std::chrono::duration<double>(system_clock().now() - begin).count();
  cpu = cpu_seconds() - cpu;
  fmt::print("{:44} {:3} in flight: {:8.0f}/s, {:6.2f} us each, {:5.2f} us CPU\n", what, in_flight, count / seconds,
             seconds / count * 1e6, cpu / count * 1e6);
}

}  // namespace

int main() {
  set_up_logging("ipc_bench", LogLevel::error);
  char directory[] = "/tmp/topicfs-ipc-bench-XXXXXX";
  if (!::mkdtemp(directory)) return 1;
  constexpr size_t kPoolBytes = 1 << 30;
  auto pool = ipc::SharedMemory::create("pool", kPoolBytes, ipc::SharedMemory::Writers::anyone).value();
  testing::MemoryEngine engine({.executor = nullptr, .clock = nullptr, .region = pool.bytes()});
  PartitionId id;
  engine.create_topic({"t", 1, {}, {}, {}}, [&](Result<TopicPtr> t) { id = t.value()->partitions[0].id; });
  ipc::ServerOptions options;
  options.directory = directory;
  options.pool = {pool.bytes().data(), pool.bytes().size(), 4 << 20, pool.fd()};
  auto server = ipc::Server::start(engine, system_clock(), options).value();
  auto client = ipc::Client::connect(directory, system_clock(), {}).value();

  std::string value(950, 'x');
  std::string_view values[] = {value};
  auto batch = testing::build_batch(values, WallMilliseconds(1));
  auto append_to = [&](Engine& e) {
    return [&](auto done) { e.append_batch(id, batch, {}, Completion<Appended>(std::move(done))); };
  };
  constexpr int kCount = 50'000;
  measure("append 1 KB, engine alone", kCount, 1, append_to(engine));
  measure("append 1 KB", kCount, 1, append_to(*client));
  measure("append 1 KB", kCount, 64, append_to(*client));
  auto buffer = client->allocate_buffer(batch.size(), nullptr);
  std::copy(batch.begin(), batch.end(), buffer.bytes.begin());
  auto in_arena = [&](auto done) { client->append_batch(id, buffer.bytes, {}, Completion<Appended>(std::move(done))); };
  measure("append 1 KB that stands in the arena", kCount, 1, in_arena);
  measure("append 1 KB that stands in the arena", kCount, 64, in_arena);
  auto sync = [&](auto done) { client->sync(id, Completion<void>(std::move(done))); };
  measure("sync: nothing but the way", kCount, 1, sync);
  measure("sync: nothing but the way", kCount, 64, sync);
  auto fetch_from = [&](Engine& e, size_t bytes) {
    return [&, bytes](auto done) { e.fetch(id, Offset(7), bytes, Completion<Fetched>(std::move(done))); };
  };
  measure("fetch 64 KB, engine alone", kCount, 1, fetch_from(engine, 64 << 10));
  measure("fetch 64 KB", kCount, 1, fetch_from(*client, 64 << 10));
  measure("fetch 64 KB", kCount, 64, fetch_from(*client, 64 << 10));
  measure("fetch 3 KB, inline", kCount, 1, fetch_from(*client, 3 << 10));
  auto begin = system_clock().now();
  constexpr int kReads = 10'000'000;
  int64_t sum = 0;
  for (int i = 0; i < kReads; ++i) sum += client->ends(id)->durable_end.v;
  double ns = std::chrono::duration<double>(system_clock().now() - begin).count() / kReads * 1e9;
  fmt::print("ends: {:.1f} ns ({})\n", ns, sum > 0);
  client.reset();
  server.reset();
  ::rmdir(directory);
}
