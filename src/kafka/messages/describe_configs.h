// DescribeConfigs: the settings of topics and of the broker. KIP-133, KIP-226 (synonyms), KIP-569 (types, texts).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DescribeConfigsRequest {
  static constexpr int16_t key = 32;
  static constexpr Versions valid{1, 4}, flexible{4};
  struct Resource {
    int8_t type = 0;
    std::string name;
    std::optional<std::vector<std::string>> keys = std::vector<std::string>();
    static constexpr auto fields() {
      using M = Resource;
      return std::tuple{field("ResourceType", &M::type, {0}), field("ResourceName", &M::name, {0}),
                        field("ConfigurationKeys", &M::keys, {0})};
    }
  };
  std::vector<Resource> resources;
  bool include_synonyms = false;
  bool include_documentation = false;
  static constexpr auto fields() {
    using M = DescribeConfigsRequest;
    return std::tuple{field("Resources", &M::resources, {0}), field("IncludeSynonyms", &M::include_synonyms, {1}),
                      field("IncludeDocumentation", &M::include_documentation, {3})};
  }
};

struct DescribeConfigsResponse {
  static constexpr Versions valid{1, 4}, flexible{4};
  struct Synonym {
    std::string name;
    std::optional<std::string> value;
    int8_t source = 0;
    static constexpr auto fields() {
      using M = Synonym;
      return std::tuple{field("Name", &M::name, {1}), field("Value", &M::value, {1}), field("Source", &M::source, {1})};
    }
  };
  struct Setting {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    int8_t source = -1;
    bool is_sensitive = false;
    std::vector<Synonym> synonyms;
    int8_t type = 0;
    std::optional<std::string> documentation = std::string();
    static constexpr auto fields() {
      using M = Setting;
      return std::tuple{field("Name", &M::name, {0}),
                        field("Value", &M::value, {0}),
                        field("ReadOnly", &M::read_only, {0}),
                        field("ConfigSource", &M::source, {1}).ignorable(),
                        field("IsSensitive", &M::is_sensitive, {0}),
                        field("Synonyms", &M::synonyms, {1}).ignorable(),
                        field("ConfigType", &M::type, {3}).ignorable(),
                        field("Documentation", &M::documentation, {3}).ignorable()};
    }
  };
  struct Result {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t type = 0;
    std::string name;
    std::vector<Setting> settings;
    static constexpr auto fields() {
      using M = Result;
      return std::tuple{field("ErrorCode", &M::error_code, {0}), field("ErrorMessage", &M::error_message, {0}),
                        field("ResourceType", &M::type, {0}), field("ResourceName", &M::name, {0}),
                        field("Configs", &M::settings, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Result> results;
  static constexpr auto fields() {
    using M = DescribeConfigsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Results", &M::results, {0})};
  }
};

}  // namespace topicfs::kafka
