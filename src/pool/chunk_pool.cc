#include "pool/chunk_pool.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "base/check.h"
#include "base/huge_pages.h"

namespace topicfs {

uint32_t ChunkPool::suitable_chunk_bytes(uint64_t pool_bytes) {
  uint64_t wanted = std::clamp<uint64_t>(pool_bytes / 64, 64 << 10, 4 << 20);
  return static_cast<uint32_t>(std::bit_floor(wanted));
}

Result<std::unique_ptr<ChunkPool>> ChunkPool::create(uint64_t size_bytes, uint32_t chunk_bytes) {
  if (!std::has_single_bit(chunk_bytes) || chunk_bytes < kDirectAlignment)
    return fail(Errc::kInvalidArgument, "a chunk of " + std::to_string(chunk_bytes) + " bytes is not a power of two");
  uint64_t chunks = size_bytes / chunk_bytes;
  if (chunks < kMinChunks || chunks >= kNoChunk)
    return fail(Errc::kInvalidArgument, "a pool of " + std::to_string(size_bytes) + " bytes is too small or too large");
  UniqueFd fd(::memfd_create("topicfs-pool", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("cannot make the pool's memory", errno);
  uint64_t total = chunks * chunk_bytes;
  if (::ftruncate(fd.get(), static_cast<off_t>(total)) != 0) return fail_errno("cannot size the pool", errno);
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) return fail_errno("cannot seal the pool", errno);
  void* base = map_shared(fd.get(), total, PROT_READ | PROT_WRITE);
  if (base == MAP_FAILED) return fail_errno("cannot map the pool", errno);
  return std::unique_ptr<ChunkPool>(
      new ChunkPool(std::move(fd), static_cast<std::byte*>(base), chunk_bytes, static_cast<uint32_t>(chunks)));
}

ChunkPool::ChunkPool(UniqueFd fd, std::byte* base, uint32_t chunk_bytes, uint32_t chunks)
    : fd_(std::move(fd)), base_(base), chunk_bytes_(chunk_bytes), chunks_(chunks), states_(new State[chunks]) {
  free_.reserve(chunks);
  for (ChunkId c = chunks; c-- > 0;) free_.push_back(c);
}

ChunkPool::~ChunkPool() { ::munmap(base_, size_bytes()); }

ChunkId ChunkPool::take() {
  MutexLock l(mutex_);
  if (free_.empty()) return kNoChunk;
  ChunkId chunk = free_.back();  // last in, first out: its memory is the warmest
  free_.pop_back();
  states_[chunk].holders.store(1, std::memory_order_relaxed);
  return chunk;
}

void ChunkPool::give_back(ChunkId chunk) { unpin(chunk); }

void ChunkPool::unpin(ChunkId chunk) {
  uint32_t before = states_[chunk].holders.fetch_sub(1, std::memory_order_acq_rel);
  MUST(before > 0);
  if (before == 1) free(chunk);
}

void ChunkPool::free(ChunkId chunk) {
  bool tell;
  {
    MutexLock l(mutex_);
    free_.push_back(chunk);
    tell = std::exchange(notice_wanted_, false);
  }
  if (tell && on_free_) on_free_();
}

void ChunkPool::set_on_free(Task on_free) { on_free_ = std::move(on_free); }

void ChunkPool::tell_when_free() {
  MutexLock l(mutex_);
  notice_wanted_ = true;
}

bool ChunkPool::populate(uint64_t at, uint64_t size) {
  return populate_shared({base_ + at, std::min(size, size_bytes() - at)});
}

uint32_t ChunkPool::free_chunks() const {
  MutexLock l(mutex_);
  return static_cast<uint32_t>(free_.size());
}

}  // namespace topicfs
