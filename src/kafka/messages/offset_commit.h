// OffsetCommit: how far a group has read. KIP-9, KIP-211, KIP-320, KIP-345.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct OffsetCommitRequest {
  static constexpr int16_t key = 8;
  static constexpr Versions valid{2, 9}, flexible{8};
  struct Partition {
    int32_t partition_index = 0;
    int64_t committed_offset = 0;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> committed_metadata = std::string();
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}),
                        field("CommittedOffset", &M::committed_offset, {0}),
                        field("CommittedLeaderEpoch", &M::committed_leader_epoch, {6}).ignorable(),
                        field("CommittedMetadata", &M::committed_metadata, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  std::string group_id;
  int32_t generation_id = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  int64_t retention_time_ms = -1;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = OffsetCommitRequest;
    return std::tuple{field("GroupId", &M::group_id, {0}),
                      field("GenerationIdOrMemberEpoch", &M::generation_id, {1}).ignorable(),
                      field("MemberId", &M::member_id, {1}).ignorable(),
                      field("GroupInstanceId", &M::group_instance_id, {7}),
                      field("RetentionTimeMs", &M::retention_time_ms, {2, 4}).ignorable(),
                      field("Topics", &M::topics, {0})};
  }
};

struct OffsetCommitResponse {
  static constexpr Versions valid{2, 9}, flexible{8};
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
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = OffsetCommitResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {3}).ignorable(),
                      field("Topics", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
