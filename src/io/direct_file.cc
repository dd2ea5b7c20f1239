#include "io/direct_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "base/huge_pages.h"
#include "base/mutex.h"

namespace topicfs {

namespace {

constexpr size_t kWriteBytes = kHugePageBytes;

size_t whole_blocks(uint64_t size) {
  return (size + DirectBuffers::kAlignment - 1) / DirectBuffers::kAlignment * DirectBuffers::kAlignment;
}

}  // namespace

struct DirectBuffers::Kept {
  Mutex mutex;
  std::vector<HugeMemory> free GUARDED_BY(mutex);
  size_t free_bytes GUARDED_BY(mutex) = 0;

  /// The smallest that fits.
  HugeMemory get(size_t size) {
    {
      MutexLock lock(mutex);
      auto best = free.end();
      for (auto at = free.begin(); at != free.end(); ++at)
        if (at->bytes().size() >= size && (best == free.end() || at->bytes().size() < best->bytes().size())) best = at;
      if (best != free.end()) {
        HugeMemory found = std::move(*best);
        free.erase(best);
        free_bytes -= found.bytes().size();
        return found;
      }
    }
    return HugeMemory(size);
  }

  void give_back(HugeMemory memory) {
    MutexLock lock(mutex);
    if (free_bytes + memory.bytes().size() > kMaxKeptBytes) return;
    free_bytes += memory.bytes().size();
    free.push_back(std::move(memory));
  }
};

DirectBuffers::DirectBuffers() : kept_(std::make_shared<Kept>()) {}

std::shared_ptr<std::byte> DirectBuffers::take(size_t size) {
  if (size < kLargeBytes) {
    auto* bytes = static_cast<std::byte*>(std::aligned_alloc(kAlignment, whole_blocks(std::max<size_t>(size, 1))));
    if (!bytes) throw std::bad_alloc();
    return {bytes, [](std::byte* p) { std::free(p); }};
  }
  HugeMemory memory = kept_->get(size);
  std::byte* bytes = memory.bytes().data();
  return {bytes, [kept = kept_, memory = std::move(memory)](std::byte*) mutable { kept->give_back(std::move(memory)); }};
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

Result<void> write_direct(const DirectFile& file, std::span<const ByteSpan> pieces, DirectBuffers& buffers,
                          const std::string& path) {
  int fd = file.fd.get();
  uint64_t total = 0;
  for (ByteSpan piece : pieces) total += piece.size();
  const uint64_t padded = whole_blocks(total);
  // One extent rather than one for each write. Where the file system can't, the writes allocate.
  if (padded > 0 && ::fallocate(fd, 0, 0, static_cast<off_t>(padded)) != 0 && errno == ENOSPC)
    return fail_errno("write " + path, ENOSPC);

  const size_t size = std::min<uint64_t>(padded, kWriteBytes);
  const std::shared_ptr<std::byte> memory = buffers.take(size);
  const MutableByteSpan buffer(memory.get(), size);
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

Result<DirectBytes> read_direct(const DirectFile& file, uint64_t position, size_t size, const TakeMemory& take,
                                const std::string& path) {
  // Whole blocks of the device, as O_DIRECT wants them; the file's end may cut the last one.
  uint64_t begin = position / DirectBuffers::kAlignment * DirectBuffers::kAlignment;
  size_t before = static_cast<size_t>(position - begin), wanted = before + size;
  size_t whole = whole_blocks(wanted);
  std::shared_ptr<std::byte> buffer = take(whole);
  if (!buffer) return fail(Errc::kFull, "no memory to read " + path + " into; retry later");
  for (size_t got = 0; got < wanted;) {
    ssize_t n = ::pread(file.fd.get(), buffer.get() + got, whole - got, static_cast<off_t>(begin + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read " + path, errno);
    if (n == 0) return fail(Errc::kCorrupt, path + " became shorter while it was read");
    got += static_cast<size_t>(n);
    // A read that ends inside a block has met the file's end, or goes on from the block's beginning.
    if (got < wanted) got = got / DirectBuffers::kAlignment * DirectBuffers::kAlignment;
    if (got < wanted && n < static_cast<ssize_t>(DirectBuffers::kAlignment))
      return fail(Errc::kCorrupt, path + " became shorter while it was read");
  }
  return DirectBytes{{buffer.get() + before, size}, buffer};
}

}  // namespace topicfs
