// Machine: one whole engine in one thread: its disk, which outlives it, and what a process has and its end takes away:
// executor and clock, the log's device, the client of the object store, the engine.
//
// Fault rules of the log's device: a write is prepared, written and synced at three points of time, in between which
// anything else may run; background tasks run after a delay of their own, so in any order. A process that ends while
// a write is under way leaves any part of it. What the disk and the bucket do is in support/memory_file_system.h and
// support/memory_object_store.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/local_engine.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "support/memory_object_store.h"
#include "support/seeded_random.h"

namespace topicfs::sim {

using testing::DiskFate;
using testing::DiskOperation;
using testing::MemoryFileSystem;
using testing::SeededRandom;

/// How a process ends without being asked.
enum class End {
  killed,     ///< the disk's cache survives
  power_cut,  ///< it does not
};

class Machine {
 public:
  Machine(EngineOptions options, std::shared_ptr<MemoryBucket> bucket, SeededRandom& random, uint64_t first_life);
  ~Machine();

  /// Tasks that an opening, or a stop, may take before it counts as hanging.
  static constexpr int kMaxTasks = 2'000'000;
  /// Time does not move on by itself further than this: what is due in a day must not happen in every run.
  static constexpr MonotonicTime kMostIdle = std::chrono::minutes(10);

  /// Starts the process, which begins to open the engine. run_next() takes it further, until it has opened, or failed to.
  void start();
  bool has_started() const { return outcome_ != nullptr && outcome_->has_value(); }
  /// What came of start(), once. kTimedOut: it has not ended. kIo when the power went meanwhile: see has_power().
  Result<void> take_outcome();
  /// Asks the engine to end, and ends the process.
  Result<void> stop(MonotonicTime patience);
  void end(End how);
  bool is_up() const { return engine_ != nullptr; }
  bool has_power() { return disk.has_power(); }
  /// Grows with each process; answers to an earlier one are nobody's.
  uint64_t life() const { return life_; }
  /// Runs the next task, moving time on to it. False if there is none soon.
  bool run_next();

  LocalEngine& engine() { return *engine_; }
  ManualExecutor& executor() { return *executor_; }
  EngineOptions& options() { return options_; }

  MemoryFileSystem disk;
  std::vector<MemoryObjectStore::LatePut> late_puts;  ///< of processes that have ended
  MemoryObjectStore::Faults weather;                  ///< of the store, for each process anew
  bool conditional_put = true;                        ///< what the store's server has
  WallMilliseconds clock_jump{0};                     ///< of the wall clock, since the beginning

 private:
  class Device;
  void take_apart();

  EngineOptions options_;
  std::shared_ptr<MemoryBucket> bucket_;
  SeededRandom& random_;
  MonotonicTime up_since_{std::chrono::seconds(1)};
  uint64_t life_;
  std::unique_ptr<ManualExecutor> executor_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<MemoryObjectStore> store_;
  std::unique_ptr<LocalEngine> engine_;
  std::shared_ptr<std::optional<Result<std::unique_ptr<LocalEngine>>>> outcome_;  // of start(); the engine shares it
};

}  // namespace topicfs::sim
