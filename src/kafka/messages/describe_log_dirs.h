// DescribeLogDirs: how much partitions hold, and where. KIP-113, KIP-827 (space).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DescribeLogDirsRequest {
  static constexpr int16_t key = 35;
  static constexpr Versions valid{1, 4}, flexible{2};
  struct Topic {
    std::string name;
    std::vector<int32_t> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Topic", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  std::optional<std::vector<Topic>> topics = std::vector<Topic>();
  static constexpr auto fields() { return std::tuple{field("Topics", &DescribeLogDirsRequest::topics, {0})}; }
};

struct DescribeLogDirsResponse {
  static constexpr Versions valid{1, 4}, flexible{2};
  struct Partition {
    int32_t partition_index = 0;
    int64_t size_bytes = 0;
    int64_t offset_lag = 0;
    bool is_future = false;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}), field("PartitionSize", &M::size_bytes, {0}),
                        field("OffsetLag", &M::offset_lag, {0}), field("IsFutureKey", &M::is_future, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  struct Dir {
    int16_t error_code = 0;
    std::string path;
    std::vector<Topic> topics;
    int64_t total_bytes = -1, usable_bytes = -1;
    static constexpr auto fields() {
      return std::tuple{field("ErrorCode", &Dir::error_code, {0}), field("LogDir", &Dir::path, {0}),
                        field("Topics", &Dir::topics, {0}), field("TotalBytes", &Dir::total_bytes, {4}).ignorable(),
                        field("UsableBytes", &Dir::usable_bytes, {4}).ignorable()};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::vector<Dir> dirs;
  static constexpr auto fields() {
    using M = DescribeLogDirsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}),
                      field("ErrorCode", &M::error_code, {3}).ignorable(), field("Results", &M::dirs, {0})};
  }
};

}  // namespace topicfs::kafka
