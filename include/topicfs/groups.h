// What the engine keeps of consumer groups: the offsets that they committed, and what their coordinator needs
// to go on after a restart. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <topicfs/types.h>

namespace topicfs {

/// How far a group has read a partition.
struct CommittedOffset {
  PartitionId partition;
  Offset offset;                  ///< of the record to read next; not checked against the partition
  int32_t leader_epoch = -1;      ///< -1: not said
  std::string metadata;           ///< the client's own
  WallMilliseconds committed{0};  ///< set by the engine
  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;  ///< of a static member (KIP-345)
  std::string client_id, client_host;
  int32_t session_timeout_ms = 0, rebalance_timeout_ms = 0;
  std::string subscription;                ///< opaque bytes: its metadata for the group's protocol
  std::string assignment;                  ///< opaque bytes
  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};

/// One generation of a group.
struct GroupState {
  std::string protocol_type;      ///< "consumer", "connect", ...; empty: it has never had members
  int32_t generation = 0;
  std::string protocol, leader;   ///< empty while it has no members
  std::vector<GroupMember> members;
  WallMilliseconds changed{0};    ///< set by the engine
  friend bool operator==(const GroupState&, const GroupState&) = default;
};

struct StoredGroup {
  std::string name;
  GroupState state;
  uint64_t offsets = 0;             ///< how many partitions it has committed
  WallMilliseconds last_commit{0};  ///< 0: none
};

inline constexpr size_t kMaxGroups = 100'000;
inline constexpr size_t kMaxCommittedOffsets = 1'000'000;  ///< of all groups together
/// Of all strings and opaque bytes that groups keep, with a little for each offset.
inline constexpr size_t kMaxGroupBytes = 256 << 20;

}  // namespace topicfs
