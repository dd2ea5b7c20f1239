#include "ctl/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace topicfs::ctl {

Result<std::string> read_small_file(const std::string& path) {
  constexpr size_t kStepBytes = 64 << 10;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path, errno);
  std::string text;
  while (text.size() <= kMaxFileBytes) {
    size_t before = text.size();
    text.resize(before + kStepBytes);
    ssize_t n = ::read(fd.get(), text.data() + before, kStepBytes);
    if (n < 0 && errno != EINTR) return fail_errno("cannot read " + path, errno);
    text.resize(before + static_cast<size_t>(n < 0 ? 0 : n));
    if (n == 0) return text;
  }
  return fail(Errc::kTooLarge, path + " is longer than 16 MiB");
}

Result<std::string> read_status(const std::string& mountpoint) {
  auto text = read_small_file(mountpoint + "/.topicfs/status.json");
  if (text) return text;
  if (text.error().sys_errno == ENOTCONN) {
    return fail(Errc::kUnavailable, "the daemon of " + mountpoint +
                                        " is gone; start topicfs again, or unmount with "
                                        "fusermount3 -u " +
                                        mountpoint);
  }
  if (text.error().sys_errno == ENOENT || text.error().sys_errno == ENOTDIR) {
    return fail(Errc::kNotFound, mountpoint + " is not a topicfs mount point");
  }
  return text;
}

}  // namespace topicfs::ctl
