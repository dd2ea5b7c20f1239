#include "ctl/mounts.h"

#include <algorithm>

namespace topicfs::ctl {
namespace {

constexpr std::string_view kType = "fuse.topicfs";

std::string_view next_field(std::string_view& line) {
  size_t space = std::min(line.find(' '), line.size());
  std::string_view field = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return field;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

/// proc(5): space, tab, newline and backslash stand as \040, \011, \012, \134.
std::string unescaped(std::string_view field) {
  std::string out;
  for (size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size() && is_octal(field[i + 1]) && is_octal(field[i + 2]) &&
        is_octal(field[i + 3])) {
      out += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      out += field[i];
    }
  }
  return out;
}

}  // namespace

std::vector<std::string> topicfs_mounts(std::string_view mounts) {
  std::vector<std::string> found;
  while (!mounts.empty()) {
    size_t end = std::min(mounts.find('\n'), mounts.size());
    std::string_view line = mounts.substr(0, end);
    mounts.remove_prefix(std::min(end + 1, mounts.size()));
    next_field(line);  // the source
    std::string_view place = next_field(line);
    if (next_field(line) == kType) found.push_back(unescaped(place));
  }
  return found;
}

Result<std::string> choose_mount(const std::string& named, const std::vector<std::string>& mounts) {
  if (!named.empty()) return named;
  if (mounts.empty())
    return fail(Errc::kNotFound, "topicfs is not mounted; name the mount point if it is elsewhere");
  if (mounts.size() == 1) return mounts.front();
  std::string list;
  for (const std::string& mount : mounts) list += "\n  " + mount;
  return fail(Errc::kInvalidArgument, "topicfs is mounted more than once; name one of:" + list);
}

}  // namespace topicfs::ctl
