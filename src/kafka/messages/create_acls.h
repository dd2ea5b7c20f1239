// CreateAcls: refused, because there is no access control. KIP-140, KIP-290.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/messages/describe_acls.h"
#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct CreateAclsRequest {
  static constexpr int16_t key = 30;
  static constexpr Versions valid{1, 3}, flexible{2};
  struct Creation {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = kLiteralPattern;
    std::string principal, host;
    int8_t operation = 0, permission_type = 0;
    static constexpr auto fields() {
      using M = Creation;
      return std::tuple{field("ResourceType", &M::resource_type, {0}),
                        field("ResourceName", &M::resource_name, {0}),
                        field("ResourcePatternType", &M::pattern_type, {1}),
                        field("Principal", &M::principal, {0}),
                        field("Host", &M::host, {0}),
                        field("Operation", &M::operation, {0}),
                        field("PermissionType", &M::permission_type, {0})};
    }
  };
  std::vector<Creation> creations;
  static constexpr auto fields() { return std::tuple{field("Creations", &CreateAclsRequest::creations, {0})}; }
};

struct CreateAclsResponse {
  static constexpr Versions valid{1, 3}, flexible{2};
  struct Result {
    int16_t error_code = 0;
    std::optional<std::string> error_message = std::string();
    static constexpr auto fields() {
      return std::tuple{field("ErrorCode", &Result::error_code, {0}), field("ErrorMessage", &Result::error_message, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Result> results;
  static constexpr auto fields() {
    using M = CreateAclsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Results", &M::results, {0})};
  }
};

}  // namespace topicfs::kafka
