#include "engine/pool_block_memory.h"

#include <map>

#include "base/check.h"
#include "wal/format.h"

namespace topicfs {

struct PoolBlockMemory::State {
  explicit State(ChunkPool& p) : pool(p) {}

  ChunkPool& pool;
  Mutex mutex;
  std::vector<ChunkId> free GUARDED_BY(mutex);
  std::map<ChunkId, uint32_t> blocks GUARDED_BY(mutex);  // of each chunk in use; the one being filled counts as one
  ChunkId filling GUARDED_BY(mutex) = kNoChunk;
  size_t filled GUARDED_BY(mutex) = 0;
  Counters counters GUARDED_BY(mutex);

  /// nullptr if there is no room.
  std::byte* place(size_t size, size_t alignment, ChunkId& chunk) REQUIRES(mutex) {
    if (size > pool.chunk_bytes()) return nullptr;
    size_t at = wal::align_up(filled, alignment);
    if (filling == kNoChunk || at + size > pool.chunk_bytes()) {
      if (filling != kNoChunk) drop(std::exchange(filling, kNoChunk));
      if (free.empty()) return nullptr;
      filling = free.back();
      free.pop_back();
      at = 0;
      blocks[filling] = 1;
    }
    chunk = filling;
    blocks[chunk]++;
    filled = at + size;
    return pool.data(chunk) + at;
  }

  void drop(ChunkId chunk) REQUIRES(mutex) {
    auto held = blocks.find(chunk);
    MUST(held != blocks.end());
    if (--held->second > 0) return;
    blocks.erase(held);
    free.push_back(chunk);
  }
};

PoolBlockMemory::PoolBlockMemory(ChunkPool& pool, uint32_t chunks) : state_(std::make_shared<State>(pool)) {
  MutexLock lock(state_->mutex);
  for (ChunkId chunk; chunks > 0 && (chunk = pool.take()) != kNoChunk; chunks--) state_->free.push_back(chunk);
  state_->counters.chunks = state_->free.size();
}

PoolBlockMemory::~PoolBlockMemory() = default;

std::shared_ptr<std::byte> PoolBlockMemory::allocate(size_t size, size_t alignment) {
  ChunkId chunk = kNoChunk;
  std::byte* at;
  {
    MutexLock lock(state_->mutex);
    at = state_->place(size, alignment, chunk);
    (at ? state_->counters.in_pool : state_->counters.in_heap)++;
  }
  if (!at) return heap_block_memory().allocate(size, alignment);
  return {at, [state = state_, chunk](std::byte*) {
            MutexLock lock(state->mutex);
            state->drop(chunk);
          }};
}

PoolBlockMemory::Counters PoolBlockMemory::counters() {
  MutexLock lock(state_->mutex);
  Counters counters = state_->counters;
  counters.free_chunks = state_->free.size();
  return counters;
}

}  // namespace topicfs
