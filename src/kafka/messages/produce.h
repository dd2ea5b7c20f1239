// Produce: append record batches. KIP-98, KIP-467 (record errors), KIP-951 (current leader).
// Names and records view the request's bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <topicfs/types.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct ProduceRequest {
  static constexpr int16_t key = 0;
  // Version 0 is advertised, not served: librdkafka up to 2.11.0 compresses only if it sees it.
  static constexpr Versions valid{3, 11}, advertised{0, 11}, flexible{9};
  struct Partition {
    int32_t index = 0;
    std::optional<ByteSpan> records;
    static constexpr auto fields() {
      return std::tuple{field("Index", &Partition::index, {0}), field("Records", &Partition::records, {0})};
    }
  };
  struct Topic {
    std::string_view name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("PartitionData", &Topic::partitions, {0})};
    }
  };
  std::optional<std::string> transactional_id;
  int16_t acks = 0;
  int32_t timeout_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = ProduceRequest;
    return std::tuple{field("TransactionalId", &M::transactional_id, {3}), field("Acks", &M::acks, {0}),
                      field("TimeoutMs", &M::timeout_ms, {0}), field("TopicData", &M::topics, {0})};
  }
};

struct ProduceResponse {
  static constexpr Versions valid{3, 11}, flexible{9};
  struct RecordError {
    int32_t batch_index = 0;
    std::optional<std::string> message;
    static constexpr auto fields() {
      return std::tuple{field("BatchIndex", &RecordError::batch_index, {8}),
                        field("BatchIndexErrorMessage", &RecordError::message, {8})};
    }
  };
  struct Leader {
    int32_t leader_id = -1, leader_epoch = -1;
    static constexpr auto fields() {
      return std::tuple{field("LeaderId", &Leader::leader_id, {10}), field("LeaderEpoch", &Leader::leader_epoch, {10})};
    }
  };
  struct Partition {
    int32_t index = 0;
    int16_t error_code = 0;
    int64_t base_offset = 0;
    int64_t log_append_time_ms = -1;
    int64_t log_start_offset = -1;
    std::vector<RecordError> record_errors;
    std::optional<std::string> error_message;
    Leader current_leader;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("Index", &M::index, {0}),
                        field("ErrorCode", &M::error_code, {0}),
                        field("BaseOffset", &M::base_offset, {0}),
                        field("LogAppendTimeMs", &M::log_append_time_ms, {2}).ignorable(),
                        field("LogStartOffset", &M::log_start_offset, {5}).ignorable(),
                        field("RecordErrors", &M::record_errors, {8}).ignorable(),
                        field("ErrorMessage", &M::error_message, {8}).ignorable(),
                        field("CurrentLeader", &M::current_leader, {10}).tagged_as(0, {10})};
    }
  };
  struct Topic {
    std::string_view name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("PartitionResponses", &Topic::partitions, {0})};
    }
  };
  struct Node {
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    static constexpr auto fields() {
      return std::tuple{field("NodeId", &Node::node_id, {10}), field("Host", &Node::host, {10}),
                        field("Port", &Node::port, {10}), field("Rack", &Node::rack, {10})};
    }
  };
  std::vector<Topic> topics;
  int32_t throttle_time_ms = 0;
  std::vector<Node> node_endpoints;
  static constexpr auto fields() {
    using M = ProduceResponse;
    return std::tuple{field("Responses", &M::topics, {0}),
                      field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("NodeEndpoints", &M::node_endpoints, {10}).tagged_as(0, {10})};
  }
};

}  // namespace topicfs::kafka
