// IncrementalAlterConfigs: changes single settings of a resource. KIP-339.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/messages/alter_configs.h"
#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct IncrementalAlterConfigsRequest {
  static constexpr int16_t key = 44;
  static constexpr Versions valid{0, 1}, flexible{1};
  struct Setting {
    std::string name;
    int8_t operation = 0;
    std::optional<std::string> value;
    static constexpr auto fields() {
      using M = Setting;
      return std::tuple{field("Name", &M::name, {0}), field("ConfigOperation", &M::operation, {0}),
                        field("Value", &M::value, {0})};
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
    using M = IncrementalAlterConfigsRequest;
    return std::tuple{field("Resources", &M::resources, {0}), field("ValidateOnly", &M::validate_only, {0})};
  }
};

struct IncrementalAlterConfigsResponse {
  static constexpr Versions valid{0, 1}, flexible{1};
  using Resource = AlterConfigsResponse::Resource;
  int32_t throttle_time_ms = 0;
  std::vector<Resource> resources;
  static constexpr auto fields() {
    using M = IncrementalAlterConfigsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Responses", &M::resources, {0})};
  }
};

}  // namespace topicfs::kafka
