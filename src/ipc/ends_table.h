// EndsTable: where each partition begins and ends, in memory that the daemon writes and the gateway
// reads, so that `ends()` costs no message. One row per PartitionId, a cache line each; the memory is
// sparse, so rows that were never written cost nothing.
#pragma once

#include <atomic>
#include <functional>

#include <topicfs/engine.h>

#include "base/mutex.h"
#include "ipc/shared_memory.h"

namespace topicfs::ipc {

/// A row. `sequence` is odd while the writer is at it; `exists` is 1 for a partition, 2 for a deleted one.
struct alignas(64) EndsRow {
  std::atomic<uint32_t> sequence, state;
  std::atomic<int64_t> log_start, durable_end, visible_end, text_start, text_end, retained_bytes, modified_ms;
};
static_assert(sizeof(EndsRow) == 64 && std::atomic<int64_t>::is_always_lock_free);

/// Partition ids are never reused, so this bounds how many a store can make in its life and still show
/// them to the gateway: 256 MiB of addresses.
inline constexpr uint64_t kEndsTableRows = 4 << 20;

/// The daemon's side. Thread-safe.
class EndsTableWriter {
 public:
  static Result<std::unique_ptr<EndsTableWriter>> create(uint64_t rows = kEndsTableRows);

  /// Asks the engine for the partition's ends and writes them down; later calls win over earlier ones.
  void refresh(Engine& engine, PartitionId partition);
  int fd() const { return memory_.fd(); }
  uint64_t rows() const { return rows_; }

 private:
  EndsTableWriter(SharedMemory memory, uint64_t rows) : memory_(std::move(memory)), rows_(rows) {}

  SharedMemory memory_;
  const uint64_t rows_;
  Mutex mutex_;  // held across Engine::ends, so that rows never go back in time
};

/// The gateway's side. Thread-safe, never blocks.
class EndsTableReader {
 public:
  EndsTableReader(SharedMemory memory, uint64_t rows) : memory_(std::move(memory)), rows_(rows) {}
  /// kNotFound; kUnsupported beyond the table; kUnavailable if the daemon died while it wrote the row.
  Result<PartitionEnds> read(PartitionId partition) const;

 private:
  SharedMemory memory_;
  uint64_t rows_;
};

}  // namespace topicfs::ipc
