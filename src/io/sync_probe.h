// Which correct way of making a small write durable is the cheapest here. Disks differ: see README.md.
#pragma once

#include "base/clock.h"
#include "io/file_system.h"

namespace topicfs {

struct SyncProbe {
  SyncMethod method = SyncMethod::buffered;
  MonotonicTime latency{0};     ///< of one durable write of 4 KiB: the lowest eighth, which a busy machine changes least
};

/// Writes a file of its own in `directory` a few dozen times by each method that the file system has, by turns.
/// Takes some tens of milliseconds. On a full disk it answers what works everywhere, unmeasured. kIo.
Result<SyncProbe> probe_sync_method(FileSystem& fs, const std::string& directory, Clock& clock);

std::string_view name_of(SyncMethod method);

}  // namespace topicfs
