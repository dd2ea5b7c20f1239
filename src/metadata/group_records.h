// The control records of consumer groups, and their JSON. topicfs-format(5), CONTROL RECORDS.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <topicfs/groups.h>
#include <topicfs/result.h>

namespace topicfs {

/// Commits of one or more groups that became durable together; a group may come more than once.
struct OffsetsCommitted {
  struct Commit {
    std::string group;
    std::vector<CommittedOffset> offsets;
  };
  std::vector<Commit> commits;
};
struct OffsetsDeleted {
  std::string group;
  std::vector<PartitionId> partitions;
};
struct GroupSaved {
  std::string group;
  GroupState state;
};
struct GroupDeleted {
  std::string group;
};

using GroupRecord = std::variant<OffsetsCommitted, OffsetsDeleted, GroupSaved, GroupDeleted>;

std::string encode_group_record(const GroupRecord& record);
/// nullopt if it is some other control record, kCorrupt if it is damaged.
Result<std::optional<GroupRecord>> decode_group_record(std::string_view json);

}  // namespace topicfs
