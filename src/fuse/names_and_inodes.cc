#include "fuse/names_and_inodes.h"

#include <charconv>

namespace topicfs::fuse {
namespace {

constexpr unsigned kNumberBits = 32;
constexpr Inode kPartitionClass = 1, kTopicClass = 2, kFollowClass = 3;

Inode make(Inode inode_class, uint32_t number) { return inode_class << kNumberBits | number; }

}  // namespace

Inode inode_of(TopicNumber topic) { return make(kTopicClass, topic.v); }
Inode inode_of(PartitionId partition) { return make(kPartitionClass, partition.v); }
Inode follow_inode_of(PartitionId partition) { return make(kFollowClass, partition.v); }

InodeMeaning meaning_of(Inode inode) {
  const auto number = static_cast<uint32_t>(inode);
  switch (inode >> kNumberBits) {
    case 0:
      if (inode == kRootInode) return {InodeKind::root, 0};
      if (inode == kControlDirInode) return {InodeKind::control_dir, 0};
      if (inode == kStatusInode) return {InodeKind::status, 0};
      return {};
    case kPartitionClass:
      return {InodeKind::partition, number};
    case kTopicClass:
      return {InodeKind::topic, number};
    case kFollowClass:
      return {InodeKind::follow, number};
    default:
      return {};
  }
}

std::optional<PartitionName> parse_partition_name(std::string_view name) {
  PartitionName result;
  if (name.ends_with(kFollowSuffix)) {
    result.follow = true;
    name.remove_suffix(kFollowSuffix.size());
  }
  if (name.empty() || (name[0] == '0' && name.size() > 1)) return std::nullopt;
  for (char c : name)
    if (c < '0' || c > '9') return std::nullopt;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), result.index);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) return std::nullopt;
  return result;
}

std::string partition_name(int32_t index) { return std::to_string(index); }

}  // namespace topicfs::fuse
