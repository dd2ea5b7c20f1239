// SyncGroup: the leader gives each member its share, and each member gets its own. KIP-345, KIP-559.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct SyncGroupRequest {
  static constexpr int16_t key = 14;
  static constexpr Versions valid{0, 5}, flexible{4};
  struct Assignment {
    std::string member_id;
    ByteSpan assignment;
    static constexpr auto fields() {
      using M = Assignment;
      return std::tuple{field("MemberId", &M::member_id, {0}), field("Assignment", &M::assignment, {0})};
    }
  };
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::optional<std::string> protocol_type, protocol_name;
  std::vector<Assignment> assignments;
  static constexpr auto fields() {
    using M = SyncGroupRequest;
    return std::tuple{field("GroupId", &M::group_id, {0}),
                      field("GenerationId", &M::generation_id, {0}),
                      field("MemberId", &M::member_id, {0}),
                      field("GroupInstanceId", &M::group_instance_id, {3}),
                      field("ProtocolType", &M::protocol_type, {5}).ignorable(),
                      field("ProtocolName", &M::protocol_name, {5}).ignorable(),
                      field("Assignments", &M::assignments, {0})};
  }
};

struct SyncGroupResponse {
  static constexpr Versions valid{0, 5}, flexible{4};
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> protocol_type, protocol_name;
  Bytes assignment;
  static constexpr auto fields() {
    using M = SyncGroupResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("ErrorCode", &M::error_code, {0}),
                      field("ProtocolType", &M::protocol_type, {5}).ignorable(),
                      field("ProtocolName", &M::protocol_name, {5}).ignorable(),
                      field("Assignment", &M::assignment, {0})};
  }
};

}  // namespace topicfs::kafka
