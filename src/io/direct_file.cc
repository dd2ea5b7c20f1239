#include "io/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"

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

// ---- reading

Result<DirectFile> open_direct(int directory_fd, const std::string& name, const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
  int fd = ::openat(directory_fd, name.c_str(), kFlags | O_DIRECT);
  if (fd >= 0) return DirectFile{UniqueFd(fd), true};
  if (errno == EINVAL) fd = ::openat(directory_fd, name.c_str(), kFlags);  // the file system has no O_DIRECT
  if (fd < 0) return fail_errno("open " + path, errno);
  // Exact ranges: reading ahead is the caller's business.
  (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  return DirectFile{UniqueFd(fd), false};
}

struct DirectBuffers::Kept {
  struct Buffer {
    std::byte* bytes = nullptr;
    size_t size = 0;
  };
  Mutex mutex;
  std::vector<Buffer> free GUARDED_BY(mutex);

  ~Kept() {
    for (Buffer b : free) std::free(b.bytes);
  }

  Buffer get(size_t size) {
    {
      MutexLock lock(mutex);
      auto fits = std::find_if(free.begin(), free.end(), [&](Buffer b) { return b.size >= size; });
      if (fits != free.end()) {
        Buffer b = *fits;
        free.erase(fits);
        return b;
      }
    }
    auto* bytes = static_cast<std::byte*>(std::aligned_alloc(DirectStaging::kAlignment, size));
    MUST(bytes != nullptr);
    return {bytes, size};
  }

  void give_back(Buffer b) {
    {
      MutexLock lock(mutex);
      if (b.size <= kMaxKeptBytes && free.size() < kMaxKept) return free.push_back(b);
    }
    std::free(b.bytes);
  }
};

DirectBuffers::DirectBuffers() : kept_(std::make_shared<Kept>()) {}

std::shared_ptr<std::byte> DirectBuffers::take(size_t size) {
  Kept::Buffer buffer = kept_->get(std::bit_ceil(std::max(size, DirectStaging::kAlignment)));
  return {buffer.bytes, [kept = kept_, buffer](std::byte*) { kept->give_back(buffer); }};
}

Result<DirectBytes> read_direct(const DirectFile& file, uint64_t position, size_t size, DirectBuffers& buffers,
                                const std::string& path) {
  // Whole blocks of the device, as O_DIRECT wants them; the file's end may cut the last one.
  uint64_t begin = position / DirectStaging::kAlignment * DirectStaging::kAlignment;
  size_t before = static_cast<size_t>(position - begin), wanted = before + size;
  size_t whole = (wanted + DirectStaging::kAlignment - 1) / DirectStaging::kAlignment * DirectStaging::kAlignment;
  std::shared_ptr<std::byte> buffer = buffers.take(whole);
  for (size_t got = 0; got < wanted;) {
    ssize_t n = ::pread(file.fd.get(), buffer.get() + got, whole - got, static_cast<off_t>(begin + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read " + path, errno);
    if (n == 0) return fail(Errc::kCorrupt, path + " became shorter while it was read");
    got += static_cast<size_t>(n);
    // A read that ends inside a block has met the file's end, or goes on from the block's beginning.
    if (got < wanted) got = got / DirectStaging::kAlignment * DirectStaging::kAlignment;
    if (got < wanted && n < static_cast<ssize_t>(DirectStaging::kAlignment))
      return fail(Errc::kCorrupt, path + " became shorter while it was read");
  }
  return DirectBytes{{buffer.get() + before, size}, buffer};
}

}  // namespace topicfs
