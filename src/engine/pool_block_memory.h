// PoolBlockMemory: blocks that were read back from objects lie in chunks of the pool, so that the gateway, which maps
// the pool, is lent them in place. The chunks are the readers' own from the start: cold readers take nothing from
// the log, and writers nothing from them. Blocks fill a chunk one behind the other; it is used again when the last
// of them has gone. What finds no room lies in the heap, and is copied once more on its way to the gateway.
#pragma once

#include <vector>

#include "base/mutex.h"
#include "object/block_memory.h"
#include "pool/chunk_pool.h"

namespace topicfs {

class PoolBlockMemory final : public BlockMemory {
 public:
  /// The largest part of the pool that readers may have: one in so many bytes.
  static constexpr uint64_t kPoolShare = 8;

  /// Takes up to `chunks` of the pool's chunks for good. The pool outlives every block.
  PoolBlockMemory(ChunkPool& pool, uint32_t chunks);
  ~PoolBlockMemory() override;

  std::shared_ptr<std::byte> allocate(size_t size, size_t alignment) override;

  struct Counters {
    uint64_t chunks = 0, free_chunks = 0;
    uint64_t in_pool = 0, in_heap = 0;  ///< blocks, so far
  };
  Counters counters();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the blocks
};

}  // namespace topicfs
