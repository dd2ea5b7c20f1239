// The engine with its real threads, files and clock, in a directory.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "base/thread_executor.h"
#include "engine/local_engine.h"
#include "io/posix_file_system.h"

namespace topicfs {

/// Of a log that goes around, and stores objects, within one test.
inline EngineOptions small_engine_in(const std::string& directory, uint64_t pool_bytes) {
  EngineOptions o;
  o.data_dir = directory + "/data";
  o.wal_segment_bytes = 1 << 20;
  o.wal_max_bytes = 16 << 20;
  o.pool_bytes = pool_bytes;
  o.object_bytes = 512 << 10;
  return o;
}

class RealEngine {
 public:
  /// Its data go below `options.data_dir`.
  RealEngine(EngineOptions options, std::unique_ptr<ObjectStore> store,
             std::unique_ptr<FileSystem> files = make_posix_file_system())
      : store_(std::move(store)),
        files_(std::move(files)),
        executor_(std::make_unique<ThreadExecutor>("test", system_clock())),
        device_(make_threaded_log_device(2)) {
    auto opened = wait_for<std::unique_ptr<LocalEngine>>([&](auto done) {
      LocalEngine::open(std::move(options), {*files_, *device_, *store_, *executor_, system_clock(), system_random()},
                        std::move(done));
    });
    if (!opened) check_failed(opened.error().message().c_str(), __FILE__, __LINE__);
    engine_ = std::move(*opened);
  }
  ~RealEngine() {
    if (!is_dead_) (void)stop();
    engine_->close();
    device_.reset();
    store_.reset();
    executor_.reset();
  }
  RealEngine(const RealEngine&) = delete;
  RealEngine& operator=(const RealEngine&) = delete;

  LocalEngine* operator->() { return engine_.get(); }

  Result<void> stop() {
    is_dead_ = true;
    return wait_for<void>([&](auto done) { engine_->stop(system_clock().now() + std::chrono::seconds(20), std::move(done)); });
  }
  /// It will not be asked to stop, as a process is not that is killed: see killable.h.
  void die() { is_dead_ = true; }

  /// The answer of a verb: `call` gets the completion.
  template <class T, class Call>
  static Result<T> wait_for(Call call) {
    // Shared: who answers may still be in set_value when the answer is here.
    auto answer = std::make_shared<std::promise<Result<T>>>();
    auto future = answer->get_future();
    call([answer](Result<T> r) { answer->set_value(std::move(r)); });
    return future.get();
  }

  std::vector<PartitionId> make_topic(const std::string& name, int32_t partitions) {
    NewTopic topic;
    topic.name = name;
    topic.partitions = partitions;
    auto made = wait_for<TopicPtr>([&](auto done) { engine_->create_topic(topic, std::move(done)); });
    if (!made) check_failed(made.error().message().c_str(), __FILE__, __LINE__);
    std::vector<PartitionId> ids;
    for (const auto& p : (*made)->partitions) ids.push_back(p.id);
    return ids;
  }

 private:
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<ThreadExecutor> executor_;
  std::unique_ptr<LogDevice> device_;
  std::unique_ptr<LocalEngine> engine_;
  bool is_dead_ = false;
};

}  // namespace topicfs
