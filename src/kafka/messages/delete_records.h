// DeleteRecords: moves log starts. KIP-107.
#pragma once

#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DeleteRecordsRequest {
  static constexpr int16_t key = 21;
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Partition {
    int32_t partition_index = 0;
    int64_t offset = 0;  ///< -1: the high watermark
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("Offset", &M::offset, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  std::vector<Topic> topics;
  int32_t timeout_ms = 0;
  static constexpr auto fields() {
    using M = DeleteRecordsRequest;
    return std::tuple{field("Topics", &M::topics, {0}), field("TimeoutMs", &M::timeout_ms, {0})};
  }
};

struct DeleteRecordsResponse {
  static constexpr Versions valid{0, 2}, flexible{2};
  struct Partition {
    int32_t partition_index = 0;
    int64_t low_watermark = -1;
    int16_t error_code = 0;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("LowWatermark", &M::low_watermark, {0}),
                        field("ErrorCode", &M::error_code, {0})};
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
    using M = DeleteRecordsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}), field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
