#include "ctl/topics_view.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <topicfs/catalog.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "ctl/units.h"

namespace topicfs::ctl {
namespace {

struct DirectoryCloser {
  void operator()(DIR* d) const { ::closedir(d); }
};
using Directory = std::unique_ptr<DIR, DirectoryCloser>;

struct TopicRow {
  std::string name;
  int64_t partitions = 0;
  int64_t text_bytes = 0;
  time_t modified = 0;
};

Result<Directory> open_directory(int at, const std::string& name) {
  UniqueFd fd(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot list " + name, errno);
  Directory directory(::fdopendir(fd.get()));
  if (!directory) return fail_errno("cannot list " + name, errno);
  fd.release();
  return directory;
}

/// Names in it, without those that begin with a dot (".topicfs" is no topic).
Result<std::vector<std::string>> names_in(DIR* directory, const std::string& name) {
  std::vector<std::string> names;
  for (errno = 0; dirent* entry = ::readdir(directory); errno = 0) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  if (errno != 0) return fail_errno("cannot list " + name, errno);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_partition_name(const std::string& name) {
  return name.find_first_not_of("0123456789") == std::string::npos;
}

Result<TopicRow> read_topic(int mount, const std::string& name) {
  TopicRow row{name, 0, 0, 0};
  TRY_ASSIGN(Directory directory, open_directory(mount, name));
  TRY_ASSIGN(auto files, names_in(directory.get(), name));
  for (const std::string& file : files) {
    struct stat st {};
    if (!is_partition_name(file) || ::fstatat(::dirfd(directory.get()), file.c_str(), &st, 0) != 0) continue;
    ++row.partitions;
    row.text_bytes += st.st_size;
    row.modified = std::max(row.modified, st.st_mtim.tv_sec);
  }
  return row;
}

std::string time_text(const TopicRow& row) {
  if (row.partitions == 0 || row.modified <= 0) return "-";
  std::tm tm{};
  ::localtime_r(&row.modified, &tm);
  char text[32];
  return std::strftime(text, sizeof text, "%F %T", &tm) ? text : "-";
}

}  // namespace

Result<std::string> render_topics(const std::string& mountpoint) {
  TRY_ASSIGN(Directory mount, open_directory(AT_FDCWD, mountpoint));
  TRY_ASSIGN(auto names, names_in(mount.get(), mountpoint));
  size_t width = std::string_view("TOPIC").size();
  for (const std::string& name : names) width = std::max(width, name.size());
  std::string out =
      fmt::format("{:<{}}  {:>10}  {:>10}  {}\n", "TOPIC", width, "PARTITIONS", "TEXT", "LAST APPEND");
  for (const std::string& name : names) {
    auto row = read_topic(::dirfd(mount.get()), name);
    if (!row && row.error().code == Errc::kNotFound) continue;  // removed meanwhile
    if (!row) {
      out += fmt::format("{:<{}}  {}\n", name, width, row.error().message());
      continue;
    }
    out += fmt::format("{:<{}}  {:>10}  {:>10}  {}\n", name, width, with_separators(row->partitions),
                       human_bytes(row->text_bytes), time_text(*row));
  }
  return out;
}

}  // namespace topicfs::ctl
