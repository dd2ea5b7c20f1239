#include "object/dir/directories.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace topicfs {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/// Only what stands in it can be opened: a directory on the way to another one need not be readable, as homes often are not.
Result<UniqueFd> open_on_the_way(int parent, const std::string& name, const std::string& path) {
  UniqueFd fd(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("open directory " + path, errno);
  return fd;
}

/// Open `name` in `parent`; if it is missing, make it first and make the parent's entry durable.
Result<UniqueFd> open_or_make(int parent, const std::string& name, const std::string& path, Missing missing) {
  int fd = ::openat(parent, name.c_str(), kDirectoryFlags);
  if (fd < 0 && errno == ENOENT && missing == Missing::make) {
    if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno("make directory " + path, errno);
    // Also if another thread made it: ours must not count on a sync that has not happened.
    UniqueFd above(::openat(parent, ".", kDirectoryFlags));
    if (!above || ::fsync(above.get()) != 0) return fail_errno("sync the directory above " + path, errno);
    fd = ::openat(parent, name.c_str(), kDirectoryFlags);
  }
  if (fd < 0) return fail_errno("open directory " + path, errno);
  return UniqueFd(fd);
}

}  // namespace

Result<UniqueFd> make_and_open_directory(const std::string& path) {
  if (path.empty()) return fail(Errc::kInvalidArgument, "the directory has no name");
  TRY_ASSIGN(UniqueFd at, open_on_the_way(AT_FDCWD, path[0] == '/' ? "/" : ".", path));
  for (size_t from = 0; from < path.size();) {
    size_t to = std::min(path.find('/', from), path.size());
    if (to > from) {
      const std::string name = path.substr(from, to - from), so_far = path.substr(0, to);
      auto next = open_on_the_way(at.get(), name, so_far);
      if (!next && next.error().sys_errno == ENOENT) next = open_or_make(at.get(), name, so_far, Missing::make);
      TRY_ASSIGN(at, std::move(next));
    }
    from = to + 1;
  }
  return open_or_make(at.get(), ".", path, Missing::fail);
}

Result<UniqueFd> open_parent(int root, const std::string& root_path, const std::string& key, Missing missing) {
  TRY_ASSIGN(UniqueFd at, open_or_make(root, ".", root_path, Missing::fail));
  size_t from = 0;
  for (size_t to; (to = key.find('/', from)) != std::string::npos; from = to + 1) {
    TRY_ASSIGN(at, open_or_make(at.get(), key.substr(from, to - from), root_path + "/" + key.substr(0, to), missing));
  }
  return at;
}

std::string last_part(const std::string& key) { return key.substr(key.rfind('/') + 1); }

Result<std::vector<DirectoryEntry>> read_directory(int directory, const std::string& path) {
  UniqueFd own(::openat(directory, ".", kDirectoryFlags));  // a position of its own
  if (!own) return fail_errno("open directory " + path, errno);
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) return fail_errno("read directory " + path, errno);
  own.release();
  std::vector<DirectoryEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry && errno != 0) return fail_errno("read directory " + path, errno);
    if (!entry) return entries;
    if (entry->d_name[0] == '.') continue;
    struct stat status;
    if (::fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // removed since
      return fail_errno("stat " + path + "/" + entry->d_name, errno);
    }
    if (S_ISDIR(status.st_mode)) entries.push_back({entry->d_name, true, 0});
    else if (S_ISREG(status.st_mode)) entries.push_back({entry->d_name, false, static_cast<uint64_t>(status.st_size)});
  }
}

}  // namespace topicfs
