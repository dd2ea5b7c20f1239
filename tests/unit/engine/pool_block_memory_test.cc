#include "engine/pool_block_memory.h"

#include <doctest/doctest.h>

using namespace topicfs;

namespace {

constexpr uint32_t kChunkBytes = 64 << 10;

struct Fixture {
  std::unique_ptr<ChunkPool> pool = ChunkPool::create(8 * kChunkBytes, kChunkBytes).value();
  bool in_pool(const std::shared_ptr<std::byte>& block) {
    return block.get() >= pool->base() && block.get() < pool->base() + pool->size_bytes();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "blocks lie in the readers' own chunks of the pool, apart from one another") {
  PoolBlockMemory memory(*pool, 2);
  CHECK(pool->free_chunks() == 6);
  auto a = memory.allocate(1000, 64), b = memory.allocate(1000, 64);
  CHECK(in_pool(a));
  CHECK(in_pool(b));
  CHECK((b.get() >= a.get() + 1000 || a.get() >= b.get() + 1000));
}

TEST_CASE_FIXTURE(Fixture, "when the readers' chunks are full, blocks lie in the heap until one is free again") {
  PoolBlockMemory memory(*pool, 2);
  auto a = memory.allocate(kChunkBytes, 64), b = memory.allocate(kChunkBytes, 64);
  auto c = memory.allocate(10, 64);
  CHECK(in_pool(a));
  CHECK(in_pool(b));
  CHECK_FALSE(in_pool(c));
  a.reset();
  CHECK(in_pool(memory.allocate(10, 64)));
  CHECK(memory.counters().in_heap == 1);
}

TEST_CASE_FIXTURE(Fixture, "a chunk with a block in use is not used again") {
  PoolBlockMemory memory(*pool, 1);
  auto small = memory.allocate(100, 64), large = memory.allocate(kChunkBytes / 2, 64);
  large.reset();
  CHECK_FALSE(in_pool(memory.allocate(kChunkBytes / 2 + 1, 64)));
  small.reset();
  CHECK(in_pool(memory.allocate(kChunkBytes, 64)));
}

TEST_CASE_FIXTURE(Fixture, "a block larger than a chunk, and a pool with nothing to spare, use the heap") {
  PoolBlockMemory some(*pool, 1), none(*pool, 0);
  CHECK_FALSE(in_pool(some.allocate(kChunkBytes + 1, 64)));
  CHECK_FALSE(in_pool(none.allocate(1, 64)));
}

TEST_CASE_FIXTURE(Fixture, "memory for direct reads lies between blocks that were copied, each at its own alignment") {
  PoolBlockMemory memory(*pool, 1);
  auto copied = memory.allocate(100, 64), read = memory.allocate(5000, 4096), behind = memory.allocate(100, 64);
  for (auto& block : {copied, read, behind}) CHECK(in_pool(block));
  CHECK(reinterpret_cast<uintptr_t>(read.get()) % 4096 == 0);
  CHECK(read.get() >= copied.get() + 100);
  CHECK(behind.get() >= read.get() + 5000);
  CHECK_FALSE(in_pool(memory.allocate(kChunkBytes - 2 * 4096, 4096)));
}

TEST_CASE_FIXTURE(Fixture, "memory of the heap is aligned too") {
  PoolBlockMemory none(*pool, 0);
  CHECK(reinterpret_cast<uintptr_t>(none.allocate(10'000, 4096).get()) % 4096 == 0);
}
