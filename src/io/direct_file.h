// Files that are written once, from start to end, and read in ranges, both past the page cache: objects and
// checkpoints. Not for the log, whose chunks are aligned already.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include <topicfs/result.h>
#include <topicfs/types.h>

#include "base/unique_fd.h"

namespace topicfs {

/// Memory for direct I/O: aligned, and if it is large, in huge pages and used again: a fresh megabyte costs more in page
/// faults than its read, and one of small pages takes the disk three times as long. Thread-safe. Buffers may outlive it.
class DirectBuffers {
 public:
  static constexpr size_t kAlignment = 4096;
  static constexpr size_t kLargeBytes = 512 << 10;    ///< a buffer of so many has huge pages of its own
  static constexpr size_t kMaxKeptBytes = 8 << 20;    ///< of large ones that wait for their next use

  DirectBuffers();
  /// At least `size` bytes, of any content.
  std::shared_ptr<std::byte> take(size_t size);

 private:
  struct Kept;
  std::shared_ptr<Kept> kept_;  // shared with the buffers that are out
};

struct DirectFile {
  UniqueFd fd;
  bool direct = false;  ///< false where the file system has no O_DIRECT
};

/// Create `name` (it must not exist) in the directory `directory_fd`, for write_direct. `path` is for messages.
Result<DirectFile> create_direct(int directory_fd, const std::string& name, const std::string& path);

/// Make the new file consist of `pieces`, durably, through one of the buffers. Nothing of them stays in the page cache.
/// Blocks.
Result<void> write_direct(const DirectFile& file, std::span<const ByteSpan> pieces, DirectBuffers& buffers,
                          const std::string& path);

/// Open `name` for read_direct: an existing file that is not behind a symbolic link.
Result<DirectFile> open_direct(int directory_fd, const std::string& name, const std::string& path);

struct DirectBytes {
  ByteSpan bytes;
  std::shared_ptr<const void> owner;
};

/// Gives at least so many bytes, at a multiple of DirectBuffers::kAlignment; nullptr: there are none now.
using TakeMemory = std::function<std::shared_ptr<std::byte>(size_t size)>;

/// Bytes [position, position + size) of the file, in memory that `take` gives, which also holds the rest of the device's
/// blocks around them. kCorrupt if the file ends before, kFull if there is no memory. Blocks.
Result<DirectBytes> read_direct(const DirectFile& file, uint64_t position, size_t size, const TakeMemory& take,
                                const std::string& path);

}  // namespace topicfs
