// Heartbeat: a member is alive, and learns whether its group rebalances. KIP-345.
#pragma once

#include <optional>
#include <string>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct HeartbeatRequest {
  static constexpr int16_t key = 12;
  static constexpr Versions valid{0, 4}, flexible{4};
  std::string group_id;
  int32_t generation_id = 0;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  static constexpr auto fields() {
    using M = HeartbeatRequest;
    return std::tuple{field("GroupId", &M::group_id, {0}), field("GenerationId", &M::generation_id, {0}),
                      field("MemberId", &M::member_id, {0}), field("GroupInstanceId", &M::group_instance_id, {3})};
  }
};

struct HeartbeatResponse {
  static constexpr Versions valid{0, 4}, flexible{4};
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  static constexpr auto fields() {
    using M = HeartbeatResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("ErrorCode", &M::error_code, {0})};
  }
};

}  // namespace topicfs::kafka
