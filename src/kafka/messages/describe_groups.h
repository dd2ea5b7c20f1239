// DescribeGroups: the state and members of groups. KIP-345, KIP-430, KIP-1043.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DescribeGroupsRequest {
  static constexpr int16_t key = 15;
  static constexpr Versions valid{0, 6}, flexible{5};
  std::vector<std::string> groups;
  bool include_authorized_operations = false;
  static constexpr auto fields() {
    using M = DescribeGroupsRequest;
    return std::tuple{field("Groups", &M::groups, {0}),
                      field("IncludeAuthorizedOperations", &M::include_authorized_operations, {3})};
  }
};

struct DescribeGroupsResponse {
  static constexpr Versions valid{0, 6}, flexible{5};
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id, client_host;
    Bytes metadata, assignment;
    static constexpr auto fields() {
      using M = Member;
      return std::tuple{field("MemberId", &M::member_id, {0}),
                        field("GroupInstanceId", &M::group_instance_id, {4}).ignorable(),
                        field("ClientId", &M::client_id, {0}),
                        field("ClientHost", &M::client_host, {0}),
                        field("MemberMetadata", &M::metadata, {0}),
                        field("MemberAssignment", &M::assignment, {0})};
    }
  };
  struct Group {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::string group_id, state, protocol_type, protocol_data;
    std::vector<Member> members;
    int32_t authorized_operations = std::numeric_limits<int32_t>::min();
    static constexpr auto fields() {
      using M = Group;
      return std::tuple{field("ErrorCode", &M::error_code, {0}),
                        field("ErrorMessage", &M::error_message, {6}).ignorable(),
                        field("GroupId", &M::group_id, {0}),
                        field("GroupState", &M::state, {0}),
                        field("ProtocolType", &M::protocol_type, {0}),
                        field("ProtocolData", &M::protocol_data, {0}),
                        field("Members", &M::members, {0}),
                        field("AuthorizedOperations", &M::authorized_operations, {3})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Group> groups;
  static constexpr auto fields() {
    using M = DescribeGroupsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("Groups", &M::groups, {0})};
  }
};

}  // namespace topicfs::kafka
