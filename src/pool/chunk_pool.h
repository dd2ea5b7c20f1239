// ChunkPool: the memory that holds the log's tail and what was read back, as chunks of one size in one
// memfd, which the gateway maps read-only. Who holds a chunk's bytes in hand has a pin on it.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <topicfs/types.h>

#include "base/mutex.h"
#include "base/unique_fd.h"
#include "io/file_system.h"

namespace topicfs {

using ChunkId = uint32_t;
inline constexpr ChunkId kNoChunk = ~ChunkId{0};

/// All functions are thread-safe.
class ChunkPool {
 public:
  /// `chunk_bytes` is a power of two and at least kDirectAlignment; the pool has size_bytes / chunk_bytes
  /// chunks, at least kMinChunks. kInvalidArgument, kIo (memory refused).
  static Result<std::unique_ptr<ChunkPool>> create(uint64_t size_bytes, uint32_t chunk_bytes);
  /// A size for the chunks of a pool: 1/64 of it, between 64 KiB and 4 MiB.
  static uint32_t suitable_chunk_bytes(uint64_t pool_bytes);
  static constexpr uint32_t kMinChunks = 4;

  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// A free chunk without pins, or kNoChunk.
  ChunkId take();
  /// Gives a chunk back; it becomes free when its last pin goes.
  void give_back(ChunkId chunk);

  /// Only while the chunk is taken, or pinned already.
  void pin(ChunkId chunk) { states_[chunk].holders.fetch_add(1, std::memory_order_relaxed); }
  void unpin(ChunkId chunk);

  /// `on_free` is called, from whichever thread and under whatever locks it holds, when a chunk became free and
  /// someone had asked to be told.
  void set_on_free(Task on_free);
  void tell_when_free();

  std::byte* data(ChunkId chunk) { return base_ + uint64_t{chunk} * chunk_bytes_; }
  uint32_t chunk_bytes() const { return chunk_bytes_; }
  uint32_t chunks() const { return chunks_; }
  uint32_t free_chunks() const;

  /// Gets `size` bytes of the memory, or as many as there are from byte `at`, from the kernel before they are touched;
  /// their content stays, whoever holds it. False if the kernel refuses.
  bool populate(uint64_t at, uint64_t size);

  /// For sharing with another process: the mapping's base and its memfd.
  std::byte* base() { return base_; }
  uint64_t size_bytes() const { return uint64_t{chunks_} * chunk_bytes_; }
  int fd() const { return fd_.get(); }

 private:
  ChunkPool(UniqueFd fd, std::byte* base, uint32_t chunk_bytes, uint32_t chunks);
  void free(ChunkId chunk);

  struct State {
    std::atomic<uint32_t> holders{0};  // the taker and the pins
  };

  UniqueFd fd_;
  std::byte* base_;
  uint32_t chunk_bytes_, chunks_;
  std::unique_ptr<State[]> states_;
  mutable Mutex mutex_;
  std::vector<ChunkId> free_ GUARDED_BY(mutex_);
  bool notice_wanted_ GUARDED_BY(mutex_) = false;
  Task on_free_;
};

}  // namespace topicfs
