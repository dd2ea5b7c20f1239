// Fetch: read record batches, waiting for them if asked to. KIP-74, KIP-227 (sessions), KIP-320, KIP-392, KIP-516 (topic ids), KIP-951.
// Names view the request's bytes; records refer to the engine's.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <topicfs/engine.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct FetchRequest {
  static constexpr int16_t key = 1;
  static constexpr Versions valid{4, 16}, flexible{12};
  struct ReplicaState {
    int32_t replica_id = -1;
    int64_t replica_epoch = -1;
    static constexpr auto fields() {
      using M = ReplicaState;
      return std::tuple{field("ReplicaId", &M::replica_id, {15}), field("ReplicaEpoch", &M::replica_epoch, {15})};
    }
  };
  struct Partition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int64_t fetch_offset = 0;
    int32_t last_fetched_epoch = -1;
    int64_t log_start_offset = -1;
    int32_t partition_max_bytes = 0;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("Partition", &M::partition, {0}),
                        field("CurrentLeaderEpoch", &M::current_leader_epoch, {9}).ignorable(),
                        field("FetchOffset", &M::fetch_offset, {0}),
                        field("LastFetchedEpoch", &M::last_fetched_epoch, {12}),
                        field("LogStartOffset", &M::log_start_offset, {5}).ignorable(),
                        field("PartitionMaxBytes", &M::partition_max_bytes, {0})};
    }
  };
  struct Topic {
    std::string_view name;
    Uuid topic_id;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::name, {0, 12}).ignorable(),
                        field("TopicId", &Topic::topic_id, {13}).ignorable(),
                        field("Partitions", &Topic::partitions, {0})};
    }
  };
  struct ForgottenTopic {
    std::string_view name;
    Uuid topic_id;
    std::vector<int32_t> partitions;
    static constexpr auto fields() {
      using M = ForgottenTopic;
      return std::tuple{field("Topic", &M::name, {7, 12}).ignorable(),
                        field("TopicId", &M::topic_id, {13}).ignorable(),
                        field("Partitions", &M::partitions, {7})};
    }
  };
  std::optional<std::string> cluster_id;
  int32_t replica_id = -1;
  ReplicaState replica_state;
  int32_t max_wait_ms = 0;
  int32_t min_bytes = 0;
  int32_t max_bytes = std::numeric_limits<int32_t>::max();
  int8_t isolation_level = 0;
  int32_t session_id = 0;
  int32_t session_epoch = -1;
  std::vector<Topic> topics;
  std::vector<ForgottenTopic> forgotten_topics;
  std::string_view rack_id;
  static constexpr auto fields() {
    using M = FetchRequest;
    return std::tuple{field("ClusterId", &M::cluster_id, {12}).tagged_as(0, {12}).ignorable(),
                      field("ReplicaId", &M::replica_id, {0, 14}),
                      field("ReplicaState", &M::replica_state, {15}).tagged_as(1, {15}),
                      field("MaxWaitMs", &M::max_wait_ms, {0}),
                      field("MinBytes", &M::min_bytes, {0}),
                      field("MaxBytes", &M::max_bytes, {3}).ignorable(),
                      field("IsolationLevel", &M::isolation_level, {4}).ignorable(),
                      field("SessionId", &M::session_id, {7}).ignorable(),
                      field("SessionEpoch", &M::session_epoch, {7}).ignorable(),
                      field("Topics", &M::topics, {0}),
                      field("ForgottenTopicsData", &M::forgotten_topics, {7}),
                      field("RackId", &M::rack_id, {11}).ignorable()};
  }
};

struct FetchResponse {
  static constexpr Versions valid{4, 16}, flexible{12};
  struct EpochEnd {
    int32_t epoch = -1;
    int64_t end_offset = -1;
    static constexpr auto fields() {
      return std::tuple{field("Epoch", &EpochEnd::epoch, {12}), field("EndOffset", &EpochEnd::end_offset, {12})};
    }
  };
  struct Leader {
    int32_t leader_id = -1, leader_epoch = -1;
    static constexpr auto fields() {
      return std::tuple{field("LeaderId", &Leader::leader_id, {12}), field("LeaderEpoch", &Leader::leader_epoch, {12})};
    }
  };
  struct Snapshot {
    int64_t end_offset = -1;
    int32_t epoch = -1;
    static constexpr auto fields() {
      return std::tuple{field("EndOffset", &Snapshot::end_offset, {0}), field("Epoch", &Snapshot::epoch, {0})};
    }
  };
  struct Aborted {
    int64_t producer_id = 0, first_offset = 0;
    static constexpr auto fields() {
      return std::tuple{field("ProducerId", &Aborted::producer_id, {4}),
                        field("FirstOffset", &Aborted::first_offset, {4})};
    }
  };
  struct Partition {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t high_watermark = 0;
    int64_t last_stable_offset = -1;
    int64_t log_start_offset = -1;
    EpochEnd diverging_epoch;
    Leader current_leader;
    Snapshot snapshot_id;
    std::optional<std::vector<Aborted>> aborted_transactions = std::vector<Aborted>();
    int32_t preferred_read_replica = -1;
    std::optional<Bytes> records = Bytes();
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}),
                        field("ErrorCode", &M::error_code, {0}),
                        field("HighWatermark", &M::high_watermark, {0}),
                        field("LastStableOffset", &M::last_stable_offset, {4}).ignorable(),
                        field("LogStartOffset", &M::log_start_offset, {5}).ignorable(),
                        field("DivergingEpoch", &M::diverging_epoch, {12}).tagged_as(0, {12}),
                        field("CurrentLeader", &M::current_leader, {12}).tagged_as(1, {12}),
                        field("SnapshotId", &M::snapshot_id, {12}).tagged_as(2, {12}),
                        field("AbortedTransactions", &M::aborted_transactions, {4}).ignorable(),
                        field("PreferredReadReplica", &M::preferred_read_replica, {11}),
                        field("Records", &M::records, {0})};
    }
  };
  struct Topic {
    std::string_view name;
    Uuid topic_id;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::name, {0, 12}).ignorable(),
                        field("TopicId", &Topic::topic_id, {13}).ignorable(),
                        field("Partitions", &Topic::partitions, {0})};
    }
  };
  struct Node {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    static constexpr auto fields() {
      return std::tuple{field("NodeId", &Node::node_id, {16}), field("Host", &Node::host, {16}),
                        field("Port", &Node::port, {16}), field("Rack", &Node::rack, {16})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t session_id = 0;
  std::vector<Topic> topics;
  std::vector<Node> node_endpoints;
  static constexpr auto fields() {
    using M = FetchResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("ErrorCode", &M::error_code, {7}).ignorable(),
                      field("SessionId", &M::session_id, {7}),
                      field("Responses", &M::topics, {0}),
                      field("NodeEndpoints", &M::node_endpoints, {16}).tagged_as(0, {16})};
  }
};

}  // namespace topicfs::kafka
