// The engine with its real threads, files and clock, for the thread sanitizer: what single-threaded tests cannot see.
#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/thread_executor.h"
#include "engine/local_engine.h"
#include "io/posix_file_system.h"
#include "object/dir/dir_store.h"

using namespace topicfs;

namespace {

constexpr int kWriters = 4, kPartitions = 4, kLines = 300;

struct RealEngine {
  std::string directory;
  std::unique_ptr<FileSystem> files;
  std::unique_ptr<ThreadExecutor> executor;
  std::unique_ptr<LogDevice> device;
  std::unique_ptr<ObjectStore> store;
  std::unique_ptr<LocalEngine> engine;

  explicit RealEngine(std::string where) : directory(std::move(where)) {
    files = make_posix_file_system();
    executor = std::make_unique<ThreadExecutor>("test", system_clock());
    device = make_threaded_log_device(2);
    auto opened_store = DirStore::open(directory + "/store");
    REQUIRE(opened_store);
    store = std::move(*opened_store);
    EngineOptions o;
    o.data_dir = directory + "/data";
    o.wal_segment_bytes = 1 << 20;
    o.wal_max_bytes = 16 << 20;
    o.pool_bytes = 2 << 20;
    o.object_bytes = 512 << 10;
    std::promise<Result<std::unique_ptr<LocalEngine>>> opened;
    LocalEngine::open(o, {*files, *device, *store, *executor, system_clock(), system_random()},
                      [&](Result<std::unique_ptr<LocalEngine>> r) { opened.set_value(std::move(r)); });
    auto r = opened.get_future().get();
    REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
    engine = std::move(*r);
  }
  ~RealEngine() {
    std::promise<void> stopped;
    engine->stop(system_clock().now() + std::chrono::seconds(20), [&](Result<void>) { stopped.set_value(); });
    stopped.get_future().get();
    engine->close();
    device.reset();
    store.reset();
    executor.reset();
    engine.reset();
  }
  std::string read(PartitionId p) {
    std::string all;
    for (;;) {
      std::promise<Result<TextRead>> got;
      engine->read_text(p, TextPosition(static_cast<int64_t>(all.size())), 1 << 20,
                        [&](Result<TextRead> r) { got.set_value(std::move(r)); });
      auto r = got.get_future().get();
      REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
      if (r->text.size == 0) return all;
      for (ByteSpan piece : r->text.pieces) all += as_text(piece);
    }
  }
};

/// A line of its own for each append, short and long ones.
std::string line(int writer, int n) {
  return std::to_string(writer) + "/" + std::to_string(n) + std::string(n % 40 == 0 ? 30'000 : 100, 'x') + "\n";
}

size_t count_lines(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

void write_lines(RealEngine& e, const std::vector<PartitionId>& partitions, int writer) {
  for (int n = 0; n < kLines; n++) {
    std::string text = line(writer, n);
    ByteSpan piece = as_byte_span(text);
    std::promise<Result<Appended>> done;
    Ack ack = n % 3 == 0 ? Ack::buffered : Ack::durable;
    e.engine->append_text(partitions[static_cast<size_t>(n % kPartitions)], {&piece, 1}, LastLine::complete,
                          {ack, Wait::yes}, [&](Result<Appended> r) { done.set_value(std::move(r)); });
    if (!done.get_future().get()) std::abort();
  }
}

}  // namespace

TEST_CASE("writers, readers and offloads at once lose and tear nothing, and a restart finds it all") {
  char pattern[] = "/tmp/topicfs-threads-XXXXXX";
  std::string directory = ::mkdtemp(pattern);
  std::vector<std::string> before;
  {
    RealEngine e(directory);
    NewTopic topic;
    topic.name = "t";
    topic.partitions = kPartitions;
    std::promise<Result<TopicPtr>> made;
    e.engine->create_topic(topic, [&](Result<TopicPtr> r) { made.set_value(std::move(r)); });
    auto created = made.get_future().get();
    REQUIRE(created);
    std::vector<PartitionId> partitions;
    for (const auto& p : (*created)->partitions) partitions.push_back(p.id);
    std::atomic<bool> writing{true};
    std::thread reader([&] {
      while (writing)
        for (PartitionId p : partitions)
          if (std::string text = e.read(p); !text.empty() && text.find('\0') != std::string::npos) std::abort();
    });
    std::vector<std::thread> writers;
    for (int w = 0; w < kWriters; w++) writers.emplace_back([&, w] { write_lines(e, partitions, w); });
    for (auto& w : writers) w.join();
    writing = false;
    reader.join();
    size_t lines = 0;
    for (PartitionId p : partitions) before.push_back(e.read(p)), lines += count_lines(before.back());
    CHECK(lines == size_t{kWriters} * kLines);
  }
  {
    RealEngine e(directory);
    TopicPtr t = e.engine->find_topic("t");
    REQUIRE(t);
    for (size_t i = 0; i < before.size(); i++) CHECK(e.read(t->partitions[i].id) == before[i]);
  }
  std::filesystem::remove_all(directory);
}
