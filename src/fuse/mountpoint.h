// The directory that is mounted over: what may stand there before, and how it is freed.
#pragma once

#include <topicfs/result.h>

#include <string>

namespace topicfs::fuse {

/// What the kernel calls our mounts (/proc/self/mountinfo).
inline constexpr const char* kMountType = "fuse.topicfs";

/// As prepare_mountpoint, but changes nothing: a dead mount of ours keeps others from writing into what it hides until it
/// is replaced.
Result<void> check_mountpoint(const std::string& path);

/// Checks that `path` is an empty directory, free to be mounted over, and answers its absolute path.
/// A mount that a killed topicfs has left there (ENOTCONN) is unmounted first. kNotFound,
/// kInvalidArgument (no directory), kNotEmpty, kBusy (something lives there), kIo.
Result<std::string> prepare_mountpoint(const std::string& path);

/// Unmounts lazily: no new opens, open files go on until the connection ends. Works without root,
/// through fusermount3, for what this user has mounted.
Result<void> unmount_lazily(const std::string& path);

/// Whether mounts may be open to other users: for root, and where /etc/fuse.conf says so.
bool may_allow_other();

}  // namespace topicfs::fuse
