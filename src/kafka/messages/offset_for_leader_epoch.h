// OffsetForLeaderEpoch: where a leader epoch ended, for readers that look for what a crash took. KIP-101, KIP-320.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct OffsetForLeaderEpochRequest {
  static constexpr int16_t key = 23;
  static constexpr Versions valid{2, 4}, flexible{4};
  struct Partition {
    int32_t partition = 0;
    int32_t current_leader_epoch = -1;
    int32_t leader_epoch = 0;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("Partition", &M::partition, {0}),
                        field("CurrentLeaderEpoch", &M::current_leader_epoch, {2}).ignorable(),
                        field("LeaderEpoch", &M::leader_epoch, {0})};
    }
  };
  struct Topic {
    std::string topic;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::topic, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  int32_t replica_id = -2;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = OffsetForLeaderEpochRequest;
    return std::tuple{field("ReplicaId", &M::replica_id, {3}).ignorable(), field("Topics", &M::topics, {0})};
  }
};

struct OffsetForLeaderEpochResponse {
  static constexpr Versions valid{2, 4}, flexible{4};
  struct Partition {
    int16_t error_code = 0;
    int32_t partition = 0;
    int32_t leader_epoch = -1;
    int64_t end_offset = -1;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("ErrorCode", &M::error_code, {0}), field("Partition", &M::partition, {0}),
                        field("LeaderEpoch", &M::leader_epoch, {1}).ignorable(),
                        field("EndOffset", &M::end_offset, {0})};
    }
  };
  struct Topic {
    std::string topic;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::topic, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = OffsetForLeaderEpochResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {2}).ignorable(),
                      field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
