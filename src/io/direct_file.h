// Files that are written once, from start to end, and read in ranges, both past the page cache: objects and
// checkpoints. Not for the log, whose chunks are aligned already and need no staging.
#pragma once

#include <memory>
#include <span>
#include <string>

#include <topicfs/result.h>
#include <topicfs/types.h>

#include "base/unique_fd.h"

namespace topicfs {

/// Memory that O_DIRECT accepts: aligned to kAlignment. One per thread that writes.
class DirectStaging {
 public:
  static constexpr size_t kAlignment = 4096;
  static constexpr size_t kBytes = 1 << 20;

  DirectStaging();
  MutableByteSpan span() { return {bytes_.get(), kBytes}; }

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> bytes_;
};

struct DirectFile {
  UniqueFd fd;
  bool direct = false;  ///< false where the file system has no O_DIRECT
};

/// Create `name` (it must not exist) in the directory `directory_fd`, for write_direct. `path` is for messages.
Result<DirectFile> create_direct(int directory_fd, const std::string& name, const std::string& path);

/// Make the new file consist of `pieces`, durably. At most DirectStaging::kBytes of them are in
/// flight, and nothing of them stays in the page cache. Blocks.
Result<void> write_direct(const DirectFile& file, std::span<const ByteSpan> pieces, DirectStaging& staging,
                          const std::string& path);

/// Open `name` for read_direct: an existing file that is not behind a symbolic link.
Result<DirectFile> open_direct(int directory_fd, const std::string& name, const std::string& path);

/// Memory for direct reads, aligned and used again: a fresh megabyte costs more in page faults than its read.
/// Thread-safe. Buffers may outlive it.
class DirectBuffers {
 public:
  static constexpr size_t kMaxKept = 8;                 ///< buffers that wait for their next use
  static constexpr size_t kMaxKeptBytes = 4 << 20;      ///< a larger one is freed at once

  DirectBuffers();
  /// At least `size` bytes, of any content.
  std::shared_ptr<std::byte> take(size_t size);

 private:
  struct Kept;
  std::shared_ptr<Kept> kept_;  // shared with the buffers that are out
};

struct DirectBytes {
  ByteSpan bytes;
  std::shared_ptr<const void> owner;
};

/// Bytes [position, position + size) of the file. kCorrupt if it ends before. Blocks.
Result<DirectBytes> read_direct(const DirectFile& file, uint64_t position, size_t size, DirectBuffers& buffers,
                                const std::string& path);

}  // namespace topicfs
