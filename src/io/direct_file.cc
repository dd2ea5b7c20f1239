#include "io/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace topicfs {

void DirectStaging::Free::operator()(std::byte* p) const { std::free(p); }

DirectStaging::DirectStaging() : bytes_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kBytes))) {
  MUST(bytes_ != nullptr);
}

Result<DirectFile> create_direct(int directory_fd, const std::string& name, const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  int fd = ::openat(directory_fd, name.c_str(), kFlags | O_DIRECT, 0600);
  if (fd >= 0) return DirectFile{UniqueFd(fd), true};
  if (errno != EINVAL) return fail_errno("create " + path, errno);
  // The file system has no O_DIRECT. open(2) may have left the new file behind all the same.
  ::unlinkat(directory_fd, name.c_str(), 0);
  fd = ::openat(directory_fd, name.c_str(), kFlags, 0600);
  if (fd < 0) return fail_errno("create " + path, errno);
  return DirectFile{UniqueFd(fd), false};
}

namespace {

Result<void> write_all(int fd, ByteSpan bytes, uint64_t position, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write " + path, errno);
    // A short direct write ends on a block of the device, or the next one says EINVAL.
    bytes = bytes.subspan(static_cast<size_t>(n));
    position += static_cast<uint64_t>(n);
  }
  return {};
}

}  // namespace

Result<void> write_direct(const DirectFile& file, std::span<const ByteSpan> pieces, DirectStaging& staging,
                          const std::string& path) {
  int fd = file.fd.get();
  uint64_t total = 0;
  for (ByteSpan piece : pieces) total += piece.size();
  auto padded = (total + DirectStaging::kAlignment - 1) / DirectStaging::kAlignment * DirectStaging::kAlignment;
  // One extent rather than one for each write. Where the file system can't, the writes allocate.
  if (padded > 0 && ::fallocate(fd, 0, 0, static_cast<off_t>(padded)) != 0 && errno == ENOSPC)
    return fail_errno("write " + path, ENOSPC);

  MutableByteSpan buffer = staging.span();
  size_t filled = 0;
  uint64_t written = 0;
  for (ByteSpan piece : pieces) {
    while (!piece.empty()) {
      size_t n = std::min(piece.size(), buffer.size() - filled);
      std::memcpy(buffer.data() + filled, piece.data(), n);
      filled += n;
      piece = piece.subspan(n);
      if (filled < buffer.size()) break;
      TRY(write_all(fd, buffer, written, path));
      written += filled;
      filled = 0;
    }
  }
  if (filled > 0) {
    size_t rest = static_cast<size_t>(padded - written);
    std::memset(buffer.data() + filled, 0, rest - filled);
    TRY(write_all(fd, buffer.first(rest), written, path));
  }
  if (padded != total && ::ftruncate(fd, static_cast<off_t>(total)) != 0)
    return fail_errno("truncate " + path, errno);
  if (::fdatasync(fd) != 0) return fail_errno("sync " + path, errno);
  if (!file.direct) (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  return {};
}

}  // namespace topicfs
