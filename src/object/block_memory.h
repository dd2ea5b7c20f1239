// BlockMemory: where blocks that were read from objects lie.
#pragma once

#include <cstddef>
#include <memory>

#include "io/direct_file.h"

namespace topicfs {

/// The pool's evictable share, or the heap. Thread-safe.
class BlockMemory {
 public:
  static constexpr size_t kCopyAlignment = 64;      ///< of a cache line, so that copies begin well
  static constexpr size_t kDirectAlignment = DirectBuffers::kAlignment;  ///< of what is read past the page cache

  virtual ~BlockMemory() = default;
  /// `size` bytes that live as long as the pointer, at a multiple of `alignment` (a power of two, at most
  /// kDirectAlignment); nullptr if there is no room now.
  virtual std::shared_ptr<std::byte> allocate(size_t size, size_t alignment) = 0;
};
BlockMemory& heap_block_memory();

}  // namespace topicfs
