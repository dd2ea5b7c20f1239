// ElectLeaders: never needed with one broker, which tools are told. KIP-183, KIP-460.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct ElectLeadersRequest {
  static constexpr int16_t key = 43;
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Topic {
    std::string name;
    std::vector<int32_t> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  int8_t election_type = 0;
  std::optional<std::vector<Topic>> topics = std::vector<Topic>();
  int32_t timeout_ms = 60000;
  static constexpr auto fields() {
    using M = ElectLeadersRequest;
    return std::tuple{field("ElectionType", &M::election_type, {1}), field("TopicPartitions", &M::topics, {0}),
                      field("TimeoutMs", &M::timeout_ms, {0})};
  }
};

struct ElectLeadersResponse {
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Partition {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message = std::string();
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionId", &M::partition_index, {0}), field("ErrorCode", &M::error_code, {0}),
                        field("ErrorMessage", &M::error_message, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::name, {0}), field("PartitionResult", &Topic::partitions, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = ElectLeadersResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}),
                      field("ErrorCode", &M::error_code, {1}).ignorable(),
                      field("ReplicaElectionResults", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
