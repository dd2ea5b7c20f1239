// LeaveGroup: one member up to version 2, any number since. KIP-345, KIP-800.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct LeaveGroupRequest {
  static constexpr int16_t key = 13;
  static constexpr Versions valid{0, 5}, flexible{4};
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::optional<std::string> reason;
    static constexpr auto fields() {
      using M = Member;
      return std::tuple{field("MemberId", &M::member_id, {3}), field("GroupInstanceId", &M::group_instance_id, {3}),
                        field("Reason", &M::reason, {5}).ignorable()};
    }
  };
  std::string group_id;
  std::string member_id;
  std::vector<Member> members;
  static constexpr auto fields() {
    using M = LeaveGroupRequest;
    return std::tuple{field("GroupId", &M::group_id, {0}), field("MemberId", &M::member_id, {0, 2}),
                      field("Members", &M::members, {3})};
  }
};

struct LeaveGroupResponse {
  static constexpr Versions valid{0, 5}, flexible{4};
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id = std::string();
    int16_t error_code = 0;
    static constexpr auto fields() {
      using M = Member;
      return std::tuple{field("MemberId", &M::member_id, {3}), field("GroupInstanceId", &M::group_instance_id, {3}),
                        field("ErrorCode", &M::error_code, {3})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Member> members;
  static constexpr auto fields() {
    using M = LeaveGroupResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("ErrorCode", &M::error_code, {0}), field("Members", &M::members, {3})};
  }
};

}  // namespace topicfs::kafka
