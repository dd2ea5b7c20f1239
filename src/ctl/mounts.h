// Where topicfs is mounted, from the kernel's list of mounts.
#pragma once

#include <topicfs/result.h>

#include <string>
#include <string_view>
#include <vector>

namespace topicfs::ctl {

/// Mount points of type fuse.topicfs in the text of /proc/self/mounts, in its order.
std::vector<std::string> topicfs_mounts(std::string_view mounts);

/// `named` if it is not empty, else the only mount of the machine. kNotFound: there is none;
/// kInvalidArgument: there are several, and the message lists them.
Result<std::string> choose_mount(const std::string& named, const std::vector<std::string>& mounts);

}  // namespace topicfs::ctl
