// Mappings of memory that processes share, in which the kernel can use huge pages: to copy into them and to write them
// to a disk directly costs a third less, because there are fewer translations to look up and fewer pages to hold.
#pragma once

#include <cstddef>

#include <topicfs/types.h>

namespace topicfs {

inline constexpr size_t kHugePageBytes = 2 << 20;

/// mmap(MAP_SHARED) of the first `size` bytes of `fd`, at an address where huge pages fit. MAP_FAILED and errno on
/// failure. munmap ends it.
void* map_shared(int fd, size_t size, int protection);

/// Gets the memory of a shared mapping from the kernel before it is touched, in huge pages where it gives them (Linux
/// 6.1; whatever /sys/kernel/mm/transparent_hugepage says of shared memory, which is mostly "never"). Contents stay,
/// whoever uses them meanwhile. False if the kernel refuses the memory.
bool populate_shared(MutableByteSpan memory);

}  // namespace topicfs
