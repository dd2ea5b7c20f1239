// ListOffsets: the offset at a time, or at one of the ends. KIP-79, KIP-734, KIP-405.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct ListOffsetsRequest {
  static constexpr int16_t key = 2;
  static constexpr Versions valid{1, 9}, flexible{6};
  struct Partition {
    int32_t partition_index = 0;
    int32_t current_leader_epoch = -1;
    int64_t timestamp = 0;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}),
                        field("CurrentLeaderEpoch", &M::current_leader_epoch, {4}).ignorable(),
                        field("Timestamp", &M::timestamp, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  int32_t replica_id = 0;
  int8_t isolation_level = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = ListOffsetsRequest;
    return std::tuple{field("ReplicaId", &M::replica_id, {0}), field("IsolationLevel", &M::isolation_level, {2}),
                      field("Topics", &M::topics, {0})};
  }
};

struct ListOffsetsResponse {
  static constexpr Versions valid{1, 9}, flexible{6};
  struct Partition {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    int64_t timestamp = -1;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("ErrorCode", &M::error_code, {0}),
                        field("Timestamp", &M::timestamp, {1}), field("Offset", &M::offset, {1}),
                        field("LeaderEpoch", &M::leader_epoch, {4}).ignorable()};
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
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = ListOffsetsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {2}).ignorable(),
                      field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
