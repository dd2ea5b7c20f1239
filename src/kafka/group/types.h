// What goes into the coordinator of consumer groups and what comes out of it. Plain values; the words are the
// protocol's, without its versions.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <topicfs/groups.h>
#include <topicfs/types.h>

namespace topicfs::kafka {

enum class GroupError : uint8_t {
  none,
  coordinator_loading,        ///< what the engine keeps of groups has not come yet
  coordinator_not_available,  ///< a limit of all groups together; the client asks again
  not_coordinator,            ///< the engine does not take the change; the client looks for the coordinator again
  inconsistent_protocol,
  invalid_group_id,
  unknown_member_id,
  invalid_session_timeout,
  rebalance_in_progress,
  illegal_generation,
  member_id_required,
  group_max_size_reached,
  fenced_instance_id,
  group_id_not_found,
  non_empty_group,
  unknown_server_error,
};

/// Both times of one moment, read by the caller.
struct Now {
  MonotonicTime time{0};      ///< for all that is timed
  WallMilliseconds wall{0};   ///< for what outlives the process
};

/// Bytes that nobody changes, shared by a member, what is saved of it, and responses on their way. Never null.
using Blob = std::shared_ptr<const std::string>;
inline Blob make_blob(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }
inline const Blob& empty_blob() {
  static const Blob empty = make_blob("");
  return empty;
}

/// A request that waits for its answer; its caller knows it by this number.
using Ticket = uint64_t;

struct GroupSettings {
  std::chrono::milliseconds initial_rebalance_delay{3000};
  std::chrono::milliseconds min_session_timeout{6000}, max_session_timeout{1'800'000};
  size_t max_members = 10'000;  ///< of one group
  std::chrono::milliseconds offsets_retention{std::chrono::hours(7 * 24)};
};

/// Of one group: names, protocols with their metadata, assignments. Together groups may have kMaxGroupBytes.
inline constexpr size_t kMaxBytesOfOneGroup = 32 << 20;
/// A JoinGroup of a new member is given up after this time: its client cannot send heartbeats yet, and may be gone.
inline constexpr std::chrono::minutes kNewMemberJoinTimeout{5};
/// A group that has lost its members is looked at after this time, and is forgotten if it has committed nothing (Kafka's
/// offsets.retention.check.interval.ms).
inline constexpr std::chrono::minutes kFirstRetentionCheck{10};

struct Protocol {
  std::string name;
  Blob metadata;
  friend bool operator==(const Protocol& a, const Protocol& b) {
    return a.name == b.name && *a.metadata == *b.metadata;
  }
};

struct JoinRequest {
  std::string group;
  std::string member_id;  ///< empty: a new member
  std::optional<std::string> instance_id;
  std::string client_id, client_host;
  std::chrono::milliseconds session_timeout{0}, rebalance_timeout{0};
  std::string protocol_type;
  std::vector<Protocol> protocols;  ///< the preferred one first
  std::string reason;               ///< for the log
  bool must_know_its_id = false;      ///< KIP-394: a new dynamic member is told its id and joins again with it
  bool can_skip_assignment = false;   ///< KIP-814: a returning leader is told that nothing changes
};

struct JoinedMember {
  std::string id;
  std::optional<std::string> instance_id;
  Blob metadata;  ///< for the protocol that was chosen
};

struct JoinResult {
  GroupError error = GroupError::none;
  std::string member_id;
  int32_t generation = -1;
  std::optional<std::string> protocol_type, protocol;
  std::string leader;
  bool skip_assignment = false;
  std::vector<JoinedMember> members;  ///< for the leader alone
};

struct MemberAssignment {
  std::string member_id;
  Blob assignment;
};

/// Who speaks. In a request of a static member `instance_id` is set too.
struct MemberName {
  std::string id;
  std::optional<std::string> instance_id;
};

struct SyncRequest {
  std::string group;
  MemberName member;
  int32_t generation = 0;
  std::optional<std::string> protocol_type, protocol;  ///< checked if set
  std::vector<MemberAssignment> assignments;           ///< from the leader
};

struct SyncResult {
  GroupError error = GroupError::none;
  std::optional<std::string> protocol_type, protocol;
  Blob assignment = empty_blob();
};

enum class GroupStage : uint8_t { empty, preparing_rebalance, completing_rebalance, stable };

/// Kafka's names: "Empty", "PreparingRebalance", "CompletingRebalance", "Stable".
std::string_view name_of(GroupStage stage);

struct GroupView {
  std::string name, protocol_type, protocol;  ///< `protocol` and the members' metadata only while stable
  GroupStage stage = GroupStage::empty;
  struct Member {
    std::string id, client_id, client_host;
    std::optional<std::string> instance_id;
    Blob metadata, assignment;
  };
  std::vector<Member> members;
};

/// What the caller has to do after an event, in any order.
struct Actions {
  struct Join {
    Ticket ticket;
    JoinResult result;
  };
  struct Sync {
    Ticket ticket;
    SyncResult result;
  };
  /// Have the engine save this, and report with the number. At most one of a group is under way.
  struct Save {
    std::string group;
    uint64_t number;
    GroupState state;
  };
  std::vector<Join> joins;
  std::vector<Sync> syncs;
  std::vector<Save> saves;
  /// Groups without members: see what they have committed, and report.
  std::vector<std::string> checks;
};

}  // namespace topicfs::kafka
