// ListGroups: all groups, or those of some states and types. KIP-518, KIP-848.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct ListGroupsRequest {
  static constexpr int16_t key = 16;
  static constexpr Versions valid{0, 5}, flexible{3};
  std::vector<std::string> states_filter, types_filter;
  static constexpr auto fields() {
    using M = ListGroupsRequest;
    return std::tuple{field("StatesFilter", &M::states_filter, {4}), field("TypesFilter", &M::types_filter, {5})};
  }
};

struct ListGroupsResponse {
  static constexpr Versions valid{0, 5}, flexible{3};
  struct Group {
    std::string group_id, protocol_type, state, type;
    static constexpr auto fields() {
      using M = Group;
      return std::tuple{field("GroupId", &M::group_id, {0}), field("ProtocolType", &M::protocol_type, {0}),
                        field("GroupState", &M::state, {4}).ignorable(),
                        field("GroupType", &M::type, {5}).ignorable()};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Group> groups;
  static constexpr auto fields() {
    using M = ListGroupsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("ErrorCode", &M::error_code, {0}), field("Groups", &M::groups, {0})};
  }
};

}  // namespace topicfs::kafka
