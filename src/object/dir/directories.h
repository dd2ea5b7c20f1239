// Directories below a directory, by descriptor: nothing here follows a path twice.
#pragma once

#include <string>
#include <vector>

#include <topicfs/result.h>

#include "base/unique_fd.h"

namespace topicfs {

/// Make `path` and its missing parents, durably, and open it.
Result<UniqueFd> make_and_open_directory(const std::string& path);

/// The directory that holds `key` (relative to `root`), made durably as needed if `make`.
enum class Missing { make, fail };
Result<UniqueFd> open_parent(int root, const std::string& root_path, const std::string& key, Missing missing);

/// What follows the last slash.
std::string last_part(const std::string& key);

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  uint64_t size = 0;
};
/// Files and directories whose names don't start with a dot, in no order.
Result<std::vector<DirectoryEntry>> read_directory(int directory, const std::string& path);

}  // namespace topicfs
