// DescribeAcls: asked by tools that copy topics, which take "security is disabled" for an answer. KIP-140, KIP-290.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

inline constexpr int8_t kLiteralPattern = 3;

struct DescribeAclsRequest {
  static constexpr int16_t key = 29;
  static constexpr Versions valid{1, 3}, flexible{2};
  int8_t resource_type = 0;
  std::optional<std::string> resource_name = std::string();
  int8_t pattern_type = kLiteralPattern;
  std::optional<std::string> principal = std::string(), host = std::string();
  int8_t operation = 0, permission_type = 0;
  static constexpr auto fields() {
    using M = DescribeAclsRequest;
    return std::tuple{field("ResourceTypeFilter", &M::resource_type, {0}),
                      field("ResourceNameFilter", &M::resource_name, {0}),
                      field("PatternTypeFilter", &M::pattern_type, {1}),
                      field("PrincipalFilter", &M::principal, {0}),
                      field("HostFilter", &M::host, {0}),
                      field("Operation", &M::operation, {0}),
                      field("PermissionType", &M::permission_type, {0})};
  }
};

struct DescribeAclsResponse {
  static constexpr Versions valid{1, 3}, flexible{2};
  struct Acl {
    std::string principal, host;
    int8_t operation = 0, permission_type = 0;
    static constexpr auto fields() {
      return std::tuple{field("Principal", &Acl::principal, {0}), field("Host", &Acl::host, {0}),
                        field("Operation", &Acl::operation, {0}), field("PermissionType", &Acl::permission_type, {0})};
    }
  };
  struct Resource {
    int8_t type = 0;
    std::string name;
    int8_t pattern_type = kLiteralPattern;
    std::vector<Acl> acls;
    static constexpr auto fields() {
      using M = Resource;
      return std::tuple{field("ResourceType", &M::type, {0}), field("ResourceName", &M::name, {0}),
                        field("PatternType", &M::pattern_type, {1}), field("Acls", &M::acls, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = std::string();
  std::vector<Resource> resources;
  static constexpr auto fields() {
    using M = DescribeAclsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("ErrorCode", &M::error_code, {0}),
                      field("ErrorMessage", &M::error_message, {0}), field("Resources", &M::resources, {0})};
  }
};

}  // namespace topicfs::kafka
