// AlterConfigs: replaces all settings of a resource. KIP-133; IncrementalAlterConfigs is what new clients use.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct AlterConfigsRequest {
  static constexpr int16_t key = 33;
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Setting {
    std::string name;
    std::optional<std::string> value;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Setting::name, {0}), field("Value", &Setting::value, {0})};
    }
  };
  struct Resource {
    int8_t type = 0;
    std::string name;
    std::vector<Setting> settings;
    static constexpr auto fields() {
      using M = Resource;
      return std::tuple{field("ResourceType", &M::type, {0}), field("ResourceName", &M::name, {0}),
                        field("Configs", &M::settings, {0})};
    }
  };
  std::vector<Resource> resources;
  bool validate_only = false;
  static constexpr auto fields() {
    using M = AlterConfigsRequest;
    return std::tuple{field("Resources", &M::resources, {0}), field("ValidateOnly", &M::validate_only, {0})};
  }
};

struct AlterConfigsResponse {
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Resource {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t type = 0;
    std::string name;
    static constexpr auto fields() {
      using M = Resource;
      return std::tuple{field("ErrorCode", &M::error_code, {0}), field("ErrorMessage", &M::error_message, {0}),
                        field("ResourceType", &M::type, {0}), field("ResourceName", &M::name, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;
  static constexpr auto fields() {
    using M = AlterConfigsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Responses", &M::resources, {0})};
  }
};

}  // namespace topicfs::kafka
