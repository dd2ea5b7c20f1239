// Metadata: brokers, topics and their partitions; may create topics. KIP-78, KIP-430, KIP-516.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <topicfs/types.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

/// "Not asked for" in the fields for authorized operations.
inline constexpr int32_t kNoAuthorizedOperations = std::numeric_limits<int32_t>::min();

struct MetadataRequest {
  static constexpr int16_t key = 3;
  static constexpr Versions valid{0, 13}, flexible{9};
  struct Topic {
    Uuid topic_id;
    std::optional<std::string> name = std::string();
    static constexpr auto fields() {
      return std::tuple{field("TopicId", &Topic::topic_id, {10}).ignorable(),
                        field("Name", &Topic::name, {0}).nullable_in({10})};
    }
  };
  std::optional<std::vector<Topic>> topics = std::vector<Topic>();
  bool allow_auto_topic_creation = true;
  bool include_cluster_authorized_operations = false;
  bool include_topic_authorized_operations = false;
  static constexpr auto fields() {
    using M = MetadataRequest;
    return std::tuple{field("Topics", &M::topics, {0}).nullable_in({1}),
                      field("AllowAutoTopicCreation", &M::allow_auto_topic_creation, {4}),
                      field("IncludeClusterAuthorizedOperations", &M::include_cluster_authorized_operations, {8, 10}),
                      field("IncludeTopicAuthorizedOperations", &M::include_topic_authorized_operations, {8})};
  }
};

struct MetadataResponse {
  static constexpr Versions valid{0, 13}, flexible{9};
  struct Broker {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    static constexpr auto fields() {
      return std::tuple{field("NodeId", &Broker::node_id, {0}), field("Host", &Broker::host, {0}),
                        field("Port", &Broker::port, {0}), field("Rack", &Broker::rack, {1}).ignorable()};
    }
  };
  struct Partition {
    int16_t error_code = 0;
    int32_t partition_index = 0;
    int32_t leader_id = 0;
    int32_t leader_epoch = -1;
    std::vector<int32_t> replica_nodes, isr_nodes, offline_replicas;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("ErrorCode", &M::error_code, {0}),
                        field("PartitionIndex", &M::partition_index, {0}),
                        field("LeaderId", &M::leader_id, {0}),
                        field("LeaderEpoch", &M::leader_epoch, {7}).ignorable(),
                        field("ReplicaNodes", &M::replica_nodes, {0}),
                        field("IsrNodes", &M::isr_nodes, {0}),
                        field("OfflineReplicas", &M::offline_replicas, {5}).ignorable()};
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
      return std::tuple{field("ErrorCode", &Topic::error_code, {0}),
                        field("Name", &Topic::name, {0}).nullable_in({12}),
                        field("TopicId", &Topic::topic_id, {10}).ignorable(),
                        field("IsInternal", &Topic::is_internal, {1}).ignorable(),
                        field("Partitions", &Topic::partitions, {0}),
                        field("TopicAuthorizedOperations", &Topic::topic_authorized_operations, {8})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Broker> brokers;
  std::optional<std::string> cluster_id;
  int32_t controller_id = -1;
  std::vector<Topic> topics;
  int32_t cluster_authorized_operations = kNoAuthorizedOperations;
  int16_t error_code = 0;
  static constexpr auto fields() {
    using M = MetadataResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {3}).ignorable(),
                      field("Brokers", &M::brokers, {0}),
                      field("ClusterId", &M::cluster_id, {2}).ignorable(),
                      field("ControllerId", &M::controller_id, {1}).ignorable(),
                      field("Topics", &M::topics, {0}),
                      field("ClusterAuthorizedOperations", &M::cluster_authorized_operations, {8, 10}),
                      field("ErrorCode", &M::error_code, {13}).ignorable()};
  }
};

}  // namespace topicfs::kafka
