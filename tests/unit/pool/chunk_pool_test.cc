#include "pool/chunk_pool.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>

#include "pool/pool_warmer.h"

using namespace topicfs;

namespace {

constexpr uint32_t kChunkBytes = 64 << 10;

std::unique_ptr<ChunkPool> pool_of(uint32_t chunks) {
  return ChunkPool::create(uint64_t{chunks} * kChunkBytes, kChunkBytes).value();
}

bool is_resident(ChunkPool& pool, ChunkId chunk) {
  std::vector<unsigned char> pages(kChunkBytes / static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  REQUIRE(::mincore(pool.data(chunk), kChunkBytes, pages.data()) == 0);
  return std::all_of(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; });
}

}  // namespace

TEST_CASE("a pool hands out each chunk once, then none") {
  auto pool = pool_of(4);
  std::set<ChunkId> taken;
  for (int i = 0; i < 4; ++i) taken.insert(pool->take());
  CHECK(taken == std::set<ChunkId>{0, 1, 2, 3});
  CHECK(pool->take() == kNoChunk);
  pool->give_back(2);
  CHECK(pool->free_chunks() == 1);
  CHECK(pool->take() == 2);
}

TEST_CASE("a chunk that was given back is free when its last pin goes, and who asked is told once") {
  auto pool = pool_of(4);
  int told = 0;
  pool->set_on_free([&told] { ++told; });
  const ChunkId chunk = pool->take();
  pool->pin(chunk);
  pool->tell_when_free();
  pool->give_back(chunk);
  CHECK(pool->free_chunks() == 3);
  CHECK(told == 0);
  pool->unpin(chunk);
  CHECK(pool->free_chunks() == 4);
  CHECK(told == 1);
  pool->give_back(pool->take());
  CHECK(told == 1);
}

TEST_CASE("a pool of an impossible shape is refused") {
  CHECK(ChunkPool::create(1 << 20, 3000).error().code == Errc::kInvalidArgument);
  CHECK(ChunkPool::create(1 << 20, 512).error().code == Errc::kInvalidArgument);
  CHECK(ChunkPool::create(3 * kChunkBytes, kChunkBytes).error().code == Errc::kInvalidArgument);
}

TEST_CASE("a pool's memory is gone through in order by its warmer, and what a chunk holds stays") {
  auto pool = pool_of(64);
  pool->data(63)[17] = std::byte{42};
  const PoolWarmer warmer(*pool);
  for (ChunkId chunk = 0; chunk < 64; ++chunk)
    while (!is_resident(*pool, chunk)) std::this_thread::yield();
  CHECK(pool->data(63)[17] == std::byte{42});
  CHECK(pool->data(5)[0] == std::byte{0});
}

TEST_CASE("a warmer that is not done ends with its owner") {
  auto pool = ChunkPool::create(uint64_t{1} << 30, 4 << 20).value();
  { const PoolWarmer warmer(*pool); }
  CHECK(pool->free_chunks() == 256);
}
