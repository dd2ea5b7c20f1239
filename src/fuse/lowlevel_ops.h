// What libfuse calls: requests of the kernel become calls of Filesystem, its answers replies.
// No rule of the mount is here, and only lowlevel_ops.cc and session.cc know libfuse.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>

#include "base/clock.h"
#include "fuse/busy_poll.h"
#include "fuse/filesystem.h"

struct fuse_lowlevel_ops;

namespace topicfs::fuse {

/// The kernel keeps names for so long; what changes behind its back is taken from it (Notifier).
inline constexpr double kEntryTimeoutSeconds = 86'400;

/// What libfuse hands to every operation. Outlives the session.
struct LowLevel {
  Filesystem& filesystem;
  Clock& clock;
  BusyPoll busy_poll;
  /// The thread that touches files to wake inotify watchers: its touches change nothing.
  std::atomic<pid_t> toucher{-1};
  /// Requests that are not answered yet; the session ends when there are none.
  std::atomic<int64_t> outstanding{0};
};

/// Holds the bytes of the request that this thread works on; a write may move it away.
inline thread_local std::shared_ptr<std::byte> request_memory;
/// A request as large as they come, and what libfuse reads with it.
inline constexpr size_t kRequestMemoryBytes = kMaxWriteBytes + (4 << 10);
static_assert(kRequestMemoryBytes <= kMaxKeptMemoryBytes);

/// A session's userdata is a LowLevel*.
const fuse_lowlevel_ops& lowlevel_ops();

}  // namespace topicfs::fuse
