// Names and inode numbers of the mount. An inode number says what it stands for, so none has to
// be remembered, and they are the same after a restart:
//
//   1                      the root
//   2, 3                   .topicfs and .topicfs/status.json
//   1 << 32 | PartitionId  a partition
//   2 << 32 | TopicNumber  a topic
//   3 << 32 | PartitionId  a partition's N.follow
#pragma once

#include <topicfs/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace topicfs::fuse {

using Inode = uint64_t;
inline constexpr Inode kRootInode = 1;
inline constexpr Inode kControlDirInode = 2;
inline constexpr Inode kStatusInode = 3;

inline constexpr std::string_view kControlDirName = ".topicfs";
inline constexpr std::string_view kStatusName = "status.json";
inline constexpr std::string_view kFollowSuffix = ".follow";
inline constexpr size_t kMaxNameBytes = 255;  ///< of any name, as other file systems have it

enum class InodeKind { root, control_dir, status, topic, partition, follow, unknown };

struct InodeMeaning {
  InodeKind kind = InodeKind::unknown;
  uint32_t number = 0;  ///< of the topic or partition
  TopicNumber topic() const { return TopicNumber(number); }
  PartitionId partition() const { return PartitionId(number); }
};

Inode inode_of(TopicNumber topic);
Inode inode_of(PartitionId partition);
Inode follow_inode_of(PartitionId partition);
InodeMeaning meaning_of(Inode inode);

/// A name inside a topic: "17" or "17.follow"; the one spelling of a number is decimal digits
/// without a leading zero.
struct PartitionName {
  int32_t index = 0;
  bool follow = false;
};
std::optional<PartitionName> parse_partition_name(std::string_view name);
std::string partition_name(int32_t index);

}  // namespace topicfs::fuse
