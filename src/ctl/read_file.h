// Small files whole: /proc/self/mounts, MOUNTPOINT/.topicfs/status.json.
#pragma once

#include <topicfs/result.h>

#include <cstddef>
#include <string>

namespace topicfs::ctl {

inline constexpr size_t kMaxFileBytes = 16 << 20;

/// kNotFound, kTooLarge (longer than kMaxFileBytes), kIo. Waits as read(2) does.
Result<std::string> read_small_file(const std::string& path);

/// The status of the daemon behind `mountpoint`, as JSON. The errors say what to do.
Result<std::string> read_status(const std::string& mountpoint);

}  // namespace topicfs::ctl
