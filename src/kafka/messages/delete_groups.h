// DeleteGroups: forgets groups without members, and their offsets. KIP-229.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DeleteGroupsRequest {
  static constexpr int16_t key = 42;
  static constexpr Versions valid{0, 2}, flexible{2};
  std::vector<std::string> group_names;
  static constexpr auto fields() {
    return std::tuple{field("GroupsNames", &DeleteGroupsRequest::group_names, {0})};
  }
};

struct DeleteGroupsResponse {
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Group {
    std::string group_id;
    int16_t error_code = 0;
    static constexpr auto fields() {
      return std::tuple{field("GroupId", &Group::group_id, {0}), field("ErrorCode", &Group::error_code, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Group> results;
  static constexpr auto fields() {
    using M = DeleteGroupsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Results", &M::results, {0})};
  }
};

}  // namespace topicfs::kafka
