// OffsetDelete: forgets what a group has committed for some partitions. KIP-496.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct OffsetDeleteRequest {
  static constexpr int16_t key = 47;
  static constexpr Versions valid{0, 0}, flexible = kNoVersions;
  struct Partition {
    int32_t partition_index = 0;
    static constexpr auto fields() { return std::tuple{field("PartitionIndex", &Partition::partition_index, {0})}; }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  std::string group_id;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = OffsetDeleteRequest;
    return std::tuple{field("GroupId", &M::group_id, {0}), field("Topics", &M::topics, {0})};
  }
};

struct OffsetDeleteResponse {
  static constexpr Versions valid{0, 0}, flexible = kNoVersions;
  struct Partition {
    int32_t partition_index = 0;
    int16_t error_code = 0;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("ErrorCode", &M::error_code, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  int16_t error_code = 0;
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = OffsetDeleteResponse;
    return std::tuple{field("ErrorCode", &M::error_code, {0}),
                      field("ThrottleTimeMs", &M::throttle_time_ms, {0}).ignorable(),
                      field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
