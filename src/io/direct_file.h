// Files that are written once, from start to end, past the page cache: objects and checkpoints.
// Not for the log, whose chunks are aligned already and need no staging.
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

}  // namespace topicfs
