// ListPartitionReassignments: asked by tools that describe topics; with one broker none is ever under way. KIP-455.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct ListPartitionReassignmentsRequest {
  static constexpr int16_t key = 46;
  static constexpr Versions valid{0, 0}, flexible{0};
  struct Topic {
    std::string name;
    std::vector<int32_t> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("PartitionIndexes", &Topic::partitions, {0})};
    }
  };
  int32_t timeout_ms = 60000;
  std::optional<std::vector<Topic>> topics;
  static constexpr auto fields() {
    using M = ListPartitionReassignmentsRequest;
    return std::tuple{field("TimeoutMs", &M::timeout_ms, {0}), field("Topics", &M::topics, {0})};
  }
};

struct ListPartitionReassignmentsResponse {
  static constexpr Versions valid{0, 0}, flexible{0};
  struct Partition {
    int32_t partition_index = 0;
    std::vector<int32_t> replicas, adding, removing;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("Replicas", &M::replicas, {0}),
                        field("AddingReplicas", &M::adding, {0}), field("RemovingReplicas", &M::removing, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = std::string();
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = ListPartitionReassignmentsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("ErrorCode", &M::error_code, {0}),
                      field("ErrorMessage", &M::error_message, {0}), field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
