#include "io/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/unique_fd.h"

namespace topicfs {
namespace {

constexpr size_t kMaxPieces = 1024;  // IOV_MAX

class PosixFile final : public File {
 public:
  PosixFile(UniqueFd fd, std::string path, SyncMethod method)
      : fd_(std::move(fd)), path_(std::move(path)), method_(method) {}

  Result<size_t> read_at(uint64_t position, MutableByteSpan into) override {
    size_t done = 0;
    while (done < into.size()) {
      ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done, static_cast<off_t>(position + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("cannot read " + path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<void> write_at(uint64_t position, const std::vector<ByteSpan>& pieces) override {
    std::vector<iovec> parts;
    parts.reserve(pieces.size());
    for (ByteSpan p : pieces)
      if (!p.empty()) parts.push_back({const_cast<std::byte*>(p.data()), p.size()});
    int flags = method_ == SyncMethod::buffered_dsync ? RWF_DSYNC : 0;
    size_t at = 0;
    while (at < parts.size()) {
      int count = static_cast<int>(std::min(parts.size() - at, kMaxPieces));
      ssize_t n = ::pwritev2(fd_.get(), &parts[at], count, static_cast<off_t>(position), flags);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno("cannot write " + path_, errno);
      if (n == 0) return fail(Errc::kIo, "cannot write " + path_ + ": the disk takes no bytes");
      position += static_cast<uint64_t>(n);
      advance(parts, at, static_cast<size_t>(n));
    }
    return check_name();
  }

  Result<void> sync() override {
    if (method_ == SyncMethod::direct_dsync || method_ == SyncMethod::buffered_dsync) return {};
    if (::fdatasync(fd_.get()) != 0) return fail_errno("cannot sync " + path_, errno);
    return {};
  }

  Result<uint64_t> size() override {
    struct stat s;
    if (::fstat(fd_.get(), &s) != 0) return fail_errno("cannot stat " + path_, errno);
    return static_cast<uint64_t>(s.st_size);
  }

 private:
  /// A file without a name is gone with the process, however often it is synced. Asks for the links alone: who looks at
  /// a file's times makes Linux (6.13 and later) give the next write a time of its own, and ext4 may write a block of
  /// its journal for that at every sync.
  Result<void> check_name() {
    struct statx s;
    if (::statx(fd_.get(), "", AT_EMPTY_PATH, STATX_NLINK, &s) != 0) return fail_errno("cannot stat " + path_, errno);
    if (s.stx_nlink == 0) return fail(Errc::kIo, path_ + " was removed while it was written");
    return {};
  }

  static void advance(std::vector<iovec>& parts, size_t& at, size_t n) {
    while (at < parts.size() && n >= parts[at].iov_len) n -= parts[at++].iov_len;
    if (n == 0) return;
    MUST(at < parts.size());
    parts[at].iov_base = static_cast<char*>(parts[at].iov_base) + n;
    parts[at].iov_len -= n;
  }

  UniqueFd fd_;
  std::string path_;
  SyncMethod method_;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  UniqueFd fd_;
};

int open_flags(OpenMode mode, SyncMethod method) {
  int flags = O_CLOEXEC;
  switch (mode) {
    case OpenMode::read: flags |= O_RDONLY; break;
    case OpenMode::read_write: flags |= O_RDWR; break;
    case OpenMode::create: flags |= O_RDWR | O_CREAT | O_EXCL; break;
  }
  switch (method) {
    case SyncMethod::buffered:
    case SyncMethod::buffered_dsync: break;
    case SyncMethod::direct_dsync: flags |= O_DIRECT | O_DSYNC; break;
    case SyncMethod::direct: flags |= O_DIRECT; break;
  }
  return flags;
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode, SyncMethod method) override {
    UniqueFd fd(::open(path.c_str(), open_flags(mode, method), 0600));
    if (!fd) return fail_errno("cannot open " + path, errno);
    return std::make_unique<PosixFile>(std::move(fd), path, method);
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    DIR* d = ::opendir(directory.c_str());
    if (!d) return fail_errno("cannot list " + directory, errno);
    std::vector<std::string> names;
    errno = 0;
    while (dirent* e = ::readdir(d))
      if (std::strcmp(e->d_name, ".") != 0 && std::strcmp(e->d_name, "..") != 0) names.emplace_back(e->d_name);
    int error = errno;
    ::closedir(d);
    if (error) return fail_errno("cannot list " + directory, error);
    return names;
  }

  Result<void> make_directories(const std::string& path) override {
    std::string parent = path.starts_with('/') ? "/" : ".";
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      std::string part = path.substr(0, slash);
      if (::mkdir(part.c_str(), 0700) == 0) TRY(sync_directory(parent));
      else if (errno != EEXIST) return fail_errno("cannot make the directory " + part, errno);
      if (slash == std::string::npos) break;
      parent = std::move(part);
    }
    struct stat s;
    if (::stat(path.c_str(), &s) != 0) return fail_errno("cannot stat " + path, errno);
    if (!S_ISDIR(s.st_mode)) return fail(Errc::kInvalidArgument, path + " is not a directory");
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno("cannot rename " + from + " to " + to, errno);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return fail_errno("cannot remove " + path, errno);
    return {};
  }

  Result<void> sync_directory(const std::string& path) override {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return fail_errno("cannot open " + path, errno);
    if (::fsync(fd.get()) != 0) return fail_errno("cannot sync " + path, errno);
    return {};
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return fail_errno("cannot open " + path, errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return fail_errno("cannot lock " + path, errno);
      char holder[32] = {};
      ssize_t n = ::pread(fd.get(), holder, sizeof holder - 1, 0);
      return fail(Errc::kBusy, path + " is held by process " + std::string(holder, n > 0 ? static_cast<size_t>(n) : 0) +
                                   "; stop it first");
    }
    std::string pid = std::to_string(::getpid());
    if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0)
      return fail_errno("cannot write " + path, errno);
    return std::make_unique<PosixLock>(std::move(fd));
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_file_system() { return std::make_unique<PosixFileSystem>(); }

}  // namespace topicfs
