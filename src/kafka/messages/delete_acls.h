// DeleteAcls: refused, because there is no access control. KIP-140, KIP-290.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/messages/describe_acls.h"
#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DeleteAclsRequest {
  static constexpr int16_t key = 31;
  static constexpr Versions valid{1, 3}, flexible{2};
  struct Filter {
    int8_t resource_type = 0;
    std::optional<std::string> resource_name = std::string();
    int8_t pattern_type = kLiteralPattern;
    std::optional<std::string> principal = std::string(), host = std::string();
    int8_t operation = 0, permission_type = 0;
    static constexpr auto fields() {
      using M = Filter;
      return std::tuple{field("ResourceTypeFilter", &M::resource_type, {0}),
                        field("ResourceNameFilter", &M::resource_name, {0}),
                        field("PatternTypeFilter", &M::pattern_type, {1}),
                        field("PrincipalFilter", &M::principal, {0}),
                        field("HostFilter", &M::host, {0}),
                        field("Operation", &M::operation, {0}),
                        field("PermissionType", &M::permission_type, {0})};
    }
  };
  std::vector<Filter> filters;
  static constexpr auto fields() { return std::tuple{field("Filters", &DeleteAclsRequest::filters, {0})}; }
};

struct DeleteAclsResponse {
  static constexpr Versions valid{1, 3}, flexible{2};
  struct Acl {
    int16_t error_code = 0;
    std::optional<std::string> error_message = std::string();
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = kLiteralPattern;
    std::string principal, host;
    int8_t operation = 0, permission_type = 0;
    static constexpr auto fields() {
      return std::tuple{field("ErrorCode", &Acl::error_code, {0}),
                        field("ErrorMessage", &Acl::error_message, {0}),
                        field("ResourceType", &Acl::resource_type, {0}),
                        field("ResourceName", &Acl::resource_name, {0}),
                        field("PatternType", &Acl::pattern_type, {1}),
                        field("Principal", &Acl::principal, {0}),
                        field("Host", &Acl::host, {0}),
                        field("Operation", &Acl::operation, {0}),
                        field("PermissionType", &Acl::permission_type, {0})};
    }
  };
  struct Result {
    int16_t error_code = 0;
    std::optional<std::string> error_message = std::string();
    std::vector<Acl> matching;
    static constexpr auto fields() {
      return std::tuple{field("ErrorCode", &Result::error_code, {0}), field("ErrorMessage", &Result::error_message, {0}),
                        field("MatchingAcls", &Result::matching, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Result> results;
  static constexpr auto fields() {
    using M = DeleteAclsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("FilterResults", &M::results, {0})};
  }
};

}  // namespace topicfs::kafka
