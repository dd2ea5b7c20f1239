// DescribeTopicPartitions: what Metadata says of topics, in pages. KIP-966.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <topicfs/types.h>

#include "kafka/messages/metadata.h"
#include "kafka/wire/field.h"

namespace topicfs::kafka {

/// Where the next page begins.
struct PartitionCursor {
  std::string topic_name;
  int32_t partition_index = 0;
  static constexpr auto fields() {
    using M = PartitionCursor;
    return std::tuple{field("TopicName", &M::topic_name, {0}), field("PartitionIndex", &M::partition_index, {0})};
  }
};

struct DescribeTopicPartitionsRequest {
  static constexpr int16_t key = 75;
  static constexpr Versions valid{0, 0}, flexible{0};
  struct Topic {
    std::string name;
    static constexpr auto fields() { return std::tuple{field("Name", &Topic::name, {0})}; }
  };
  std::vector<Topic> topics;
  int32_t response_partition_limit = 2000;
  std::optional<PartitionCursor> cursor;
  static constexpr auto fields() {
    using M = DescribeTopicPartitionsRequest;
    return std::tuple{field("Topics", &M::topics, {0}),
                      field("ResponsePartitionLimit", &M::response_partition_limit, {0}),
                      field("Cursor", &M::cursor, {0})};
  }
};

struct DescribeTopicPartitionsResponse {
  static constexpr Versions valid{0, 0}, flexible{0};
  struct Partition {
    int16_t error_code = 0;
    int32_t partition_index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replica_nodes, isr_nodes;
    std::optional<std::vector<int32_t>> eligible_leader_replicas, last_known_elr;
    std::vector<int32_t> offline_replicas;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("ErrorCode", &M::error_code, {0}),
                        field("PartitionIndex", &M::partition_index, {0}),
                        field("LeaderId", &M::leader_id, {0}),
                        field("LeaderEpoch", &M::leader_epoch, {0}),
                        field("ReplicaNodes", &M::replica_nodes, {0}),
                        field("IsrNodes", &M::isr_nodes, {0}),
                        field("EligibleLeaderReplicas", &M::eligible_leader_replicas, {0}),
                        field("LastKnownElr", &M::last_known_elr, {0}),
                        field("OfflineReplicas", &M::offline_replicas, {0})};
    }
  };
  struct Topic {
    int16_t error_code = 0;
    std::optional<std::string> name = std::string();
    Uuid topic_id;
    bool is_internal = false;
    std::vector<Partition> partitions;
    int32_t topic_authorized_operations = kNoAuthorizedOperations;
    static constexpr auto fields() {
      using M = Topic;
      return std::tuple{field("ErrorCode", &M::error_code, {0}),
                        field("Name", &M::name, {0}),
                        field("TopicId", &M::topic_id, {0}),
                        field("IsInternal", &M::is_internal, {0}),
                        field("Partitions", &M::partitions, {0}),
                        field("TopicAuthorizedOperations", &M::topic_authorized_operations, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  std::optional<PartitionCursor> next_cursor;
  static constexpr auto fields() {
    using M = DescribeTopicPartitionsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Topics", &M::topics, {0}),
                      field("NextCursor", &M::next_cursor, {0})};
  }
};

}  // namespace topicfs::kafka
