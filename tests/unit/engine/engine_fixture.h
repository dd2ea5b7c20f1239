// A whole engine in one thread, on a disk and a bucket in memory.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "engine/local_engine.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "support/memory_object_store.h"
#include "support/seeded_random.h"

namespace topicfs::testing {

struct EngineFixture {
  EngineOptions options;
  MemoryFileSystem files;
  std::shared_ptr<MemoryBucket> bucket = std::make_shared<MemoryBucket>();
  SeededRandom random{1};
  MemoryObjectStore::Faults faults;  ///< of the store, from the start on
  // What a process has, and a crash takes away.
  std::unique_ptr<ManualExecutor> executor;
  std::unique_ptr<ManualLogDevice> device;
  std::unique_ptr<MemoryObjectStore> store;
  std::unique_ptr<LocalEngine> engine;

  EngineFixture() {
    options.data_dir = "/data";
    options.wal_segment_bytes = 1 << 20;
    options.wal_max_bytes = 16 << 20;
    options.pool_bytes = 4 << 20;
    options.object_bytes = 256 << 10;
  }
  ~EngineFixture() { kill(); }

  Result<void> open() {
    executor = std::make_unique<ManualExecutor>();
    device = std::make_unique<ManualLogDevice>(*executor);
    store = std::make_unique<MemoryObjectStore>(*executor, *executor, bucket);
    store->set_faults(faults);
    Result<void> outcome = fail(Errc::kTimedOut, "the engine did not open");
    LocalEngine::open(options, {files, *device, *store, *executor, *executor, random},
                      [&](Result<std::unique_ptr<LocalEngine>> r) {
                        outcome = r ? Result<void>() : Result<void>(tl::unexpected<Error>(r.error()));
                        if (r) engine = std::move(*r);
                      });
    executor->run_until_idle();
    return outcome;
  }
  void start() {
    auto r = open();
    REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
  }
  /// The process is gone, the disk keeps what is durable.
  void kill() {
    if (executor) executor->run_until_idle();
    engine.reset();
    store.reset();
    device.reset();
    executor.reset();
  }
  /// What is being written then is lost, as is every request to the store that has not arrived.
  void power_cut(MemoryFileSystem::Keep keep = {}) {
    files.crash(std::move(keep));
    files.set_power(false);
    auto contents = stored();
    executor->run_until_idle();
    engine.reset();
    store.reset();
    device.reset();
    executor.reset();
    files.set_power(true);
    MutexLock l(bucket->mutex);
    bucket->objects = std::move(contents);
  }
  std::map<std::string, std::shared_ptr<const std::vector<std::byte>>, std::less<>> stored() {
    MutexLock l(bucket->mutex);
    return bucket->objects;
  }
  void stop() {
    bool ended = false;
    engine->stop(executor->now() + std::chrono::seconds(30), [&](Result<void> r) {
      CHECK_MESSAGE(r, (r ? "" : r.error().message()));
      ended = true;
    });
    settle();
    CHECK(ended);
    kill();
  }
  /// Runs everything that is due, and lets the short timers pass.
  void settle() {
    executor->run_until_idle();
    executor->advance(std::chrono::milliseconds(200));
  }

  PartitionId make_partition(const std::string& topic, int32_t partitions = 1) {
    NewTopic t;
    t.name = topic;
    t.partitions = partitions;
    TopicPtr made;
    engine->create_topic(t, [&](Result<TopicPtr> r) {
      REQUIRE_MESSAGE(r, (r ? "" : r.error().message()));
      made = *r;
    });
    settle();
    REQUIRE(made);
    return made->partitions[0].id;
  }
  PartitionId partition(const std::string& topic, size_t index = 0) {
    TopicPtr t = engine->find_topic(topic);
    REQUIRE(t);
    return t->partitions.at(index).id;
  }
  /// Appends and waits; the outcome.
  Result<Appended> append(PartitionId p, std::string_view text, Ack ack = Ack::durable) {
    // The answer may come long after this returned: an append that waits for room.
    auto outcome = std::make_shared<Result<Appended>>(fail(Errc::kTimedOut, "not answered"));
    ByteSpan piece = as_byte_span(text);
    engine->append_text(p, {&piece, 1}, text.ends_with('\n') ? LastLine::complete : LastLine::unfinished, {ack, Wait::yes},
                        [outcome](Result<Appended> r) { *outcome = std::move(r); });
    executor->run_until_idle();
    return *outcome;
  }
  Result<Offset> delete_records(PartitionId p, int64_t before) {
    Result<Offset> outcome = fail(Errc::kTimedOut, "not answered");
    engine->delete_records(p, Offset(before), [&](Result<Offset> r) { outcome = std::move(r); });
    settle();
    return outcome;
  }
  /// The file's bytes, read in steps of `step`.
  std::string read(PartitionId p, size_t step = 1 << 20) {
    std::string all;
    TextPosition at = engine->ends(p)->text_start;
    for (;;) {
      std::optional<Result<TextRead>> got;
      engine->read_text(p, at, step, [&](Result<TextRead> r) { got = std::move(r); });
      executor->run_until_idle();
      REQUIRE(got);
      REQUIRE_MESSAGE(*got, (*got ? "" : got->error().message()));
      if ((*got)->text.size == 0) return all;
      for (ByteSpan piece : (*got)->text.pieces) all += as_text(piece);
      at += static_cast<int64_t>((*got)->text.size);
    }
  }
  std::vector<std::string> keys(std::string_view prefix = "") {
    MutexLock l(bucket->mutex);
    std::vector<std::string> found;
    for (auto& [key, bytes] : bucket->objects)
      if (key.starts_with(prefix)) found.push_back(key);
    return found;
  }
  void remove_object(const std::string& key) {
    MutexLock l(bucket->mutex);
    bucket->objects.erase(key);
  }
  void copy_object(const std::string& from, const std::string& to) {
    MutexLock l(bucket->mutex);
    bucket->objects[to] = bucket->objects[from];
  }
  std::string status() {
    std::string json;
    engine->status([&](Result<std::string> r) { json = *r; });
    return json;
  }
};

}  // namespace topicfs::testing
