// CreateTopics. KIP-4, KIP-464 (defaults), KIP-525 (settings in the answer), KIP-516 (ids).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <topicfs/types.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct CreateTopicsRequest {
  static constexpr int16_t key = 19;
  static constexpr Versions valid{2, 7}, flexible{5};
  struct Assignment {
    int32_t partition_index = 0;
    std::vector<int32_t> broker_ids;
    static constexpr auto fields() {
      using M = Assignment;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("BrokerIds", &M::broker_ids, {0})};
    }
  };
  struct Setting {
    std::string name;
    std::optional<std::string> value;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Setting::name, {0}), field("Value", &Setting::value, {0})};
    }
  };
  struct Topic {
    std::string name;
    int32_t num_partitions = 0;
    int16_t replication_factor = 0;
    std::vector<Assignment> assignments;
    std::vector<Setting> settings;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("NumPartitions", &Topic::num_partitions, {0}),
                        field("ReplicationFactor", &Topic::replication_factor, {0}),
                        field("Assignments", &Topic::assignments, {0}), field("Configs", &Topic::settings, {0})};
    }
  };
  std::vector<Topic> topics;
  int32_t timeout_ms = 60000;
  bool validate_only = false;
  static constexpr auto fields() {
    using M = CreateTopicsRequest;
    return std::tuple{field("Topics", &M::topics, {0}), field("TimeoutMs", &M::timeout_ms, {0}),
                      field("ValidateOnly", &M::validate_only, {1})};
  }
};

struct CreateTopicsResponse {
  static constexpr Versions valid{2, 7}, flexible{5};
  struct Setting {
    std::string name;
    std::optional<std::string> value;
    bool read_only = false;
    int8_t source = -1;
    bool is_sensitive = false;
    static constexpr auto fields() {
      using M = Setting;
      return std::tuple{field("Name", &M::name, {5}), field("Value", &M::value, {5}),
                        field("ReadOnly", &M::read_only, {5}), field("ConfigSource", &M::source, {5}).ignorable(),
                        field("IsSensitive", &M::is_sensitive, {5})};
    }
  };
  struct Topic {
    std::string name;
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message = std::string();
    int16_t settings_error_code = 0;
    int32_t num_partitions = -1;
    int16_t replication_factor = -1;
    std::optional<std::vector<Setting>> settings = std::vector<Setting>();
    static constexpr auto fields() {
      using M = Topic;
      return std::tuple{field("Name", &M::name, {0}),
                        field("TopicId", &M::topic_id, {7}).ignorable(),
                        field("ErrorCode", &M::error_code, {0}),
                        field("ErrorMessage", &M::error_message, {1}).ignorable(),
                        field("TopicConfigErrorCode", &M::settings_error_code, {5}).tagged_as(0, {5}).ignorable(),
                        field("NumPartitions", &M::num_partitions, {5}).ignorable(),
                        field("ReplicationFactor", &M::replication_factor, {5}).ignorable(),
                        field("Configs", &M::settings, {5}).ignorable()};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = CreateTopicsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {2}).ignorable(),
                      field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
