// ApiVersions: which APIs and versions are served. KIP-35, KIP-511, KIP-584.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct ApiVersionsRequest {
  static constexpr int16_t key = 18;
  static constexpr Versions valid{0, 4}, flexible{3};
  std::string client_software_name, client_software_version;
  static constexpr auto fields() {
    using M = ApiVersionsRequest;
    return std::tuple{field("ClientSoftwareName", &M::client_software_name, {3}).ignorable(),
                      field("ClientSoftwareVersion", &M::client_software_version, {3}).ignorable()};
  }
};

struct ApiVersionsResponse {
  static constexpr Versions valid{0, 4}, flexible{3};
  struct Api {
    int16_t api_key = 0, min_version = 0, max_version = 0;
    static constexpr auto fields() {
      return std::tuple{field("ApiKey", &Api::api_key, {0}), field("MinVersion", &Api::min_version, {0}),
                        field("MaxVersion", &Api::max_version, {0})};
    }
  };
  struct SupportedFeature {
    std::string name;
    int16_t min_version = 0, max_version = 0;
    static constexpr auto fields() {
      using M = SupportedFeature;
      return std::tuple{field("Name", &M::name, {3}), field("MinVersion", &M::min_version, {3}),
                        field("MaxVersion", &M::max_version, {3})};
    }
  };
  struct FinalizedFeature {
    std::string name;
    int16_t max_version_level = 0, min_version_level = 0;
    static constexpr auto fields() {
      using M = FinalizedFeature;
      return std::tuple{field("Name", &M::name, {3}), field("MaxVersionLevel", &M::max_version_level, {3}),
                        field("MinVersionLevel", &M::min_version_level, {3})};
    }
  };
  int16_t error_code = 0;
  std::vector<Api> api_keys;
  int32_t throttle_time_ms = 0;
  std::vector<SupportedFeature> supported_features;
  int64_t finalized_features_epoch = -1;
  std::vector<FinalizedFeature> finalized_features;
  bool zk_migration_ready = false;
  static constexpr auto fields() {
    using M = ApiVersionsResponse;
    return std::tuple{
        field("ErrorCode", &M::error_code, {0}),
        field("ApiKeys", &M::api_keys, {0}),
        field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
        field("SupportedFeatures", &M::supported_features, {3}).tagged_as(0, {3}).ignorable(),
        field("FinalizedFeaturesEpoch", &M::finalized_features_epoch, {3}).tagged_as(1, {3}).ignorable(),
        field("FinalizedFeatures", &M::finalized_features, {3}).tagged_as(2, {3}).ignorable(),
        field("ZkMigrationReady", &M::zk_migration_ready, {3}).tagged_as(3, {3}).ignorable()};
  }
};

}  // namespace topicfs::kafka
