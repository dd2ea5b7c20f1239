#include "base/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <new>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // linux/mman.h since 6.1
#endif

namespace topicfs {
namespace {

std::byte* align_up(std::byte* p) {
  return p + (kHugePageBytes - reinterpret_cast<uintptr_t>(p) % kHugePageBytes) % kHugePageBytes;
}

/// mmap at an address where huge pages fit, and for whoever gives them only on advice.
void* map_aligned(size_t size, int protection, int flags, int fd) {
  void* room = ::mmap(nullptr, size + kHugePageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return MAP_FAILED;
  auto* begin = static_cast<std::byte*>(room);
  std::byte *end = begin + size + kHugePageBytes, *base = align_up(begin);
  void* mapped = ::mmap(base, size, protection, flags | MAP_FIXED, fd, 0);
  if (mapped == MAP_FAILED) {
    ::munmap(room, size + kHugePageBytes);
    return MAP_FAILED;
  }
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::byte* behind = base + (size + page - 1) / page * page;
  if (base > begin) ::munmap(begin, static_cast<size_t>(base - begin));
  if (end > behind) ::munmap(behind, static_cast<size_t>(end - behind));
  (void)::madvise(mapped, size, MADV_HUGEPAGE);
  return mapped;
}

}  // namespace

HugeMemory::HugeMemory(size_t size) {
  size = (size + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes;
  void* mapped = map_aligned(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  bytes_ = {static_cast<std::byte*>(mapped), size};
}

HugeMemory::~HugeMemory() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

void* map_shared(int fd, size_t size, int protection) {
  if (size < kHugePageBytes) return ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  return map_aligned(size, protection, MAP_SHARED, fd);
}

bool populate_shared(MutableByteSpan memory) {
  std::byte* end = memory.data() + memory.size();
  // A huge page takes the place of at least one small one: of none at all the kernel makes none.
  for (std::byte* at = align_up(memory.data()); at + kHugePageBytes <= end; at += kHugePageBytes)
    if (::madvise(at, 1, MADV_POPULATE_READ) != 0) break;
  (void)::madvise(memory.data(), memory.size(), MADV_COLLAPSE);
  return ::madvise(memory.data(), memory.size(), MADV_POPULATE_WRITE) == 0;
}

}  // namespace topicfs
