#include "fuse/mountpoint.h"

#include <dirent.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/log.h"

extern char** environ;

namespace topicfs::fuse {
namespace {

constexpr int kMaxStaleMounts = 16;  // one on top of the other

/// mountinfo writes space, tab, newline and backslash as \ooo; proc(5).
std::string unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// The type of the file system on top at `path`; empty if nothing is mounted there.
std::string mounted_type(const std::string& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::string line, type;
  while (std::getline(mounts, line)) {
    std::istringstream fields(line);
    std::string id, parent, device, root, point, word;
    fields >> id >> parent >> device >> root >> point;
    if (unescape(point) != path) continue;
    while (fields >> word && word != "-") {
    }
    fields >> type;
  }
  return type;
}

/// An absolute path without links, found without a question to what may be mounted at its end:
/// a dead mount answers none.
Result<std::string> absolute(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  if (std::unique_ptr<char, void (*)(void*)> whole{::realpath(trimmed.c_str(), nullptr), ::free})
    return std::string(whole.get());
  if (errno != ENOTCONN) return fail_errno("mount point " + path + ": create the directory first", errno);
  const size_t slash = trimmed.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : trimmed.substr(0, slash);
  const std::string name = slash == std::string::npos ? trimmed : trimmed.substr(slash + 1);
  std::unique_ptr<char, void (*)(void*)> real{::realpath(parent.c_str(), nullptr), ::free};
  if (!real) return fail_errno("mount point " + path, errno);
  return std::string(real.get()) + (real.get()[1] ? "/" : "") + name;
}

Result<void> check_empty(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(path.c_str()), ::closedir};
  if (!dir) return fail_errno("mount point " + path, errno);
  while (const dirent* entry = ::readdir(dir.get()))
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
      return fail(Errc::kNotEmpty, "mount point " + path + " is not empty (it has \"" + entry->d_name +
                                       "\"): choose an empty directory, for its files would be hidden");
  return {};
}

/// Whether what is mounted there has lost its daemon.
bool is_dead(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) != 0 && errno == ENOTCONN;
}

/// A directory that nothing is mounted on, and that hides nothing.
Result<void> check_free(const std::string& path) {
  struct stat s {};
  if (::stat(path.c_str(), &s) != 0) return fail_errno("mount point " + path, errno);
  if (!S_ISDIR(s.st_mode)) return fail(Errc::kInvalidArgument, "mount point " + path + " is not a directory");
  const std::string type = mounted_type(path);
  if (type == kMountType)
    return fail(Errc::kBusy,
                "a topicfs is mounted at " + path + " and answers: stop it first (fusermount3 -u)");
  if (!type.empty() && type != "autofs")
    return fail(Errc::kBusy,
                path + " is the mount point of a file system of type " + type + ": choose another directory");
  return check_empty(path);
}

Result<void> run_fusermount(const std::string& path) {
  const char* arguments[] = {"fusermount3", "-u", "-z", "--", path.c_str(), nullptr};
  pid_t pid;
  const int error =
      ::posix_spawnp(&pid, arguments[0], nullptr, nullptr, const_cast<char* const*>(arguments), environ);
  if (error) return fail_errno("fusermount3: install the package fuse3", error);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Errc::kIo, "fusermount3 -u -z " + path + " failed");
}

}  // namespace

Result<void> unmount_lazily(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) return {};
  if (errno == EINVAL) return {};  // nothing is mounted there any more
  if (errno != EPERM) return fail_errno("unmount " + path, errno);
  return run_fusermount(path);
}

Result<void> check_mountpoint(const std::string& given) {
  TRY_ASSIGN(const std::string path, absolute(given));
  if (is_dead(path) && mounted_type(path) == kMountType) return {};
  return check_free(path);
}

Result<std::string> prepare_mountpoint(const std::string& given) {
  TRY_ASSIGN(const std::string path, absolute(given));
  for (int stale = 0; is_dead(path); stale++) {
    const std::string type = mounted_type(path);
    if (type != kMountType || stale == kMaxStaleMounts)
      return fail(Errc::kBusy, "mount point " + path + " has a dead mount of type " + type +
                                   ": unmount it first (umount -l)");
    LOG_WARNING("{} has a mount whose daemon is gone: unmounting it", path);
    TRY(unmount_lazily(path));
  }
  TRY(check_free(path));
  return path;
}

bool may_allow_other() {
  if (::geteuid() == 0) return true;
  std::ifstream settings("/etc/fuse.conf");
  for (std::string line; std::getline(settings, line);) {
    std::istringstream words(line);
    std::string word;
    if (words >> word && word == "user_allow_other") return true;
  }
  return false;
}

}  // namespace topicfs::fuse
