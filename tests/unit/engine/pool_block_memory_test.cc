#include "engine/pool_block_memory.h"

#include <doctest/doctest.h>

using namespace topicfs;

namespace {

constexpr uint32_t kChunkBytes = 64 << 10;

struct Fixture {
  std::unique_ptr<ChunkPool> pool = ChunkPool::create(8 * kChunkBytes, kChunkBytes).value();
  bool in_pool(const std::shared_ptr<std::byte[]>& block) {
    return block.get() >= pool->base() && block.get() < pool->base() + pool->size_bytes();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "blocks lie in the readers' own chunks of the pool, apart from one another") {
  PoolBlockMemory memory(*pool, 2);
  CHECK(pool->free_chunks() == 6);
  auto a = memory.allocate(1000), b = memory.allocate(1000);
  CHECK(in_pool(a));
  CHECK(in_pool(b));
  CHECK((b.get() >= a.get() + 1000 || a.get() >= b.get() + 1000));
}

TEST_CASE_FIXTURE(Fixture, "when the readers' chunks are full, blocks lie in the heap until one is free again") {
  PoolBlockMemory memory(*pool, 2);
  auto a = memory.allocate(kChunkBytes), b = memory.allocate(kChunkBytes);
  auto c = memory.allocate(10);
  CHECK(in_pool(a));
  CHECK(in_pool(b));
  CHECK_FALSE(in_pool(c));
  a.reset();
  CHECK(in_pool(memory.allocate(10)));
  CHECK(memory.counters().in_heap == 1);
}

TEST_CASE_FIXTURE(Fixture, "a chunk with a block in use is not used again") {
  PoolBlockMemory memory(*pool, 1);
  auto small = memory.allocate(100), large = memory.allocate(kChunkBytes / 2);
  large.reset();
  CHECK_FALSE(in_pool(memory.allocate(kChunkBytes / 2 + 1)));
  small.reset();
  CHECK(in_pool(memory.allocate(kChunkBytes)));
}

TEST_CASE_FIXTURE(Fixture, "a block larger than a chunk, and a pool with nothing to spare, use the heap") {
  PoolBlockMemory some(*pool, 1), none(*pool, 0);
  CHECK_FALSE(in_pool(some.allocate(kChunkBytes + 1)));
  CHECK_FALSE(in_pool(none.allocate(1)));
}
