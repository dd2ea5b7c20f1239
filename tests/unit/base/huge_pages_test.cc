#include "base/huge_pages.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/unique_fd.h"

using namespace topicfs;

namespace {

UniqueFd memory_of(size_t size) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(fd);
  REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
  return fd;
}

}  // namespace

TEST_CASE("mappings of one memory show the same bytes, and lie where huge pages fit if they are large enough") {
  for (size_t size : {size_t{4096}, kHugePageBytes - 4096, kHugePageBytes, 3 * kHugePageBytes + 4096}) {
    UniqueFd fd = memory_of(size);
    void *one = map_shared(fd.get(), size, PROT_READ | PROT_WRITE), *other = map_shared(fd.get(), size, PROT_READ);
    REQUIRE(one != MAP_FAILED);
    REQUIRE(other != MAP_FAILED);
    if (size >= kHugePageBytes) CHECK(reinterpret_cast<uintptr_t>(one) % kHugePageBytes == 0);
    auto *written = static_cast<char*>(one), *seen = static_cast<char*>(other);
    written[0] = 'a', written[size - 1] = 'z';
    CHECK(seen[0] == 'a');
    CHECK(seen[size - 1] == 'z');
    CHECK(::munmap(one, size) == 0);
    CHECK(::munmap(other, size) == 0);
  }
  CHECK(map_shared(-1, 1 << 20, PROT_READ) == MAP_FAILED);
  CHECK(map_shared(-1, 4 << 20, PROT_READ) == MAP_FAILED);
}

TEST_CASE("populated memory is resident, and keeps what was in it") {
  const size_t size = 3 * kHugePageBytes + 8192;
  UniqueFd fd = memory_of(size);
  auto* base = static_cast<std::byte*>(map_shared(fd.get(), size, PROT_READ | PROT_WRITE));
  REQUIRE(base != MAP_FAILED);
  base[kHugePageBytes + 5] = std::byte{7};
  CHECK(populate_shared({base, size}));
  CHECK(base[kHugePageBytes + 5] == std::byte{7});
  CHECK(std::count_if(base, base + size, [](std::byte b) { return b != std::byte{0}; }) == 1);
  std::vector<unsigned char> pages(size / static_cast<size_t>(::sysconf(_SC_PAGESIZE)));
  REQUIRE(::mincore(base, size, pages.data()) == 0);
  CHECK(std::all_of(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
  CHECK(populate_shared({base + 4096, 4096}));
  ::munmap(base, size);
}

TEST_CASE("private memory is zeros, in whole huge pages, and moves") {
  HugeMemory memory(kHugePageBytes + 1);
  std::byte* at = memory.bytes().data();
  CHECK(memory.bytes().size() == 2 * kHugePageBytes);
  CHECK(reinterpret_cast<uintptr_t>(at) % kHugePageBytes == 0);
  CHECK(std::all_of(at, at + memory.bytes().size(), [](std::byte b) { return b == std::byte{0}; }));
  HugeMemory other;
  other = std::move(memory);
  CHECK(other.bytes().data() == at);
  at[kHugePageBytes] = std::byte{1};
}
