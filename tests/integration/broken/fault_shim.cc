// Preloaded into the daemon, makes system calls fail while a test says so: a file of 32-bit words, named by
// FAULT_WORDS and mapped, is read at each call.
//
//   word 0   errno for writes to log segments (0: they succeed)
//   word 1   errno for fdatasync of log segments
//   word 2   errno for writes to objects of a store in a directory
//   word 3   seconds that CLOCK_REALTIME is ahead (behind, if negative)
//   word 4   how many calls have been made to fail
//   word 5   1: as if the file system had neither O_DIRECT nor RWF_DSYNC, so that commits are made durable by fdatasync
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

enum Word { writes, syncs, store_writes, clock_ahead, failed, only_fdatasync, words };
std::atomic<int32_t> none[words];

std::atomic<int32_t>* map_words() {
  const char* path = std::getenv("FAULT_WORDS");
  int fd = path ? ::openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return none;
  void* mapped = ::mmap(nullptr, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return mapped == MAP_FAILED ? none : static_cast<std::atomic<int32_t>*>(mapped);
}

std::atomic<int32_t>& word(Word which) {
  static std::atomic<int32_t>* const mapped = map_words();
  return mapped[which];
}

bool is_in(int fd, const char* part) {
  char link[64], path[512];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = ::readlink(link, path, sizeof path - 1);
  if (n < 0) return false;
  path[n] = '\0';
  return std::strstr(path, part) != nullptr;
}

/// Sets errno if a call on this file is to fail.
bool fails(int fd, Word which, const char* part) {
  int32_t error = word(which).load();
  if (error == 0 || !is_in(fd, part)) return false;
  word(failed)++;
  errno = error;
  return true;
}

bool write_fails(int fd) { return fails(fd, writes, "/wal/segment-") || fails(fd, store_writes, "/.tmp/"); }

/// The real one.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pwritev64v2(int fd, const iovec* parts, int count, off64_t at, int flags) {
  static auto* const real = next<ssize_t(int, const iovec*, int, off64_t, int)>("pwritev64v2");
  if ((flags & RWF_DSYNC) && word(only_fdatasync).load()) return errno = EOPNOTSUPP, -1;
  return write_fails(fd) ? -1 : real(fd, parts, count, at, flags);
}

int open64(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, mode_t)>("open64");
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_DIRECT) && word(only_fdatasync).load()) return errno = EINVAL, -1;
  return real(path, flags, mode);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  static auto* const real = next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  return write_fails(fd) ? -1 : real(fd, bytes, size, at);
}

int fdatasync(int fd) {
  static auto* const real = next<int(int)>("fdatasync");
  return fails(fd, syncs, "/wal/segment-") ? -1 : real(fd);
}

int clock_gettime(clockid_t clock, timespec* into) noexcept {
  static auto* const real = next<int(clockid_t, timespec*)>("clock_gettime");
  int outcome = real(clock, into);
  if (outcome == 0 && clock == CLOCK_REALTIME) into->tv_sec += word(clock_ahead).load();
  return outcome;
}
}
