// SharedMemory: a mapping of memory that two processes see. The daemon creates it, sealed against
// resizing, so that neither side can take pages away under the other.
#pragma once

#include <topicfs/result.h>
#include <topicfs/types.h>

#include "base/unique_fd.h"

namespace topicfs::ipc {

class SharedMemory {
 public:
  enum class Writers { anyone, creator_only };
  enum class Access { read, read_write };

  /// New zeroed memory; pages that nobody touched cost nothing. `size` is rounded up to whole pages.
  /// With `creator_only`, nobody who gets `fd()` can write.
  static Result<SharedMemory> create(const char* name, size_t size, Writers writers);
  /// Map what another process sent. kInvalidArgument if it is smaller than `size` or may shrink.
  static Result<SharedMemory> map(UniqueFd fd, size_t size, Access access);

  SharedMemory() = default;
  SharedMemory(SharedMemory&& o) noexcept;
  SharedMemory& operator=(SharedMemory&& o) noexcept;
  ~SharedMemory();

  MutableByteSpan bytes() const { return bytes_; }
  int fd() const { return fd_.get(); }
  /// Where in this memory `piece` stands; false if it is not wholly inside.
  bool contains(ByteSpan piece) const;
  size_t offset_of(ByteSpan piece) const { return static_cast<size_t>(piece.data() - bytes_.data()); }

 private:
  SharedMemory(UniqueFd fd, MutableByteSpan bytes) : fd_(std::move(fd)), bytes_(bytes) {}

  UniqueFd fd_;
  MutableByteSpan bytes_;
};

/// Whether `size` bytes from `offset` lie inside `limit`, for numbers that came from elsewhere.
inline bool within(uint64_t offset, uint64_t size, uint64_t limit) { return offset <= limit && size <= limit - offset; }

/// The same file, opened for reading only: what a process may be given that must not write.
Result<UniqueFd> reopen_read_only(int fd);

}  // namespace topicfs::ipc
