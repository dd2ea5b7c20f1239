// OffsetFetch: what groups have committed. One group up to version 7, any number since. KIP-88, KIP-320, KIP-447,
// KIP-709, KIP-848.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct OffsetFetchRequest {
  static constexpr int16_t key = 9;
  static constexpr Versions valid{1, 9}, flexible{6};
  struct Topic {
    std::string name;
    std::vector<int32_t> partition_indexes;
    static constexpr auto fields() {
      using M = Topic;
      return std::tuple{field("Name", &M::name, {0}), field("PartitionIndexes", &M::partition_indexes, {0})};
    }
  };
  struct Group {
    std::string group_id;
    std::optional<std::string> member_id;
    int32_t member_epoch = -1;
    std::optional<std::vector<Topic>> topics = std::vector<Topic>();
    static constexpr auto fields() {
      using M = Group;
      return std::tuple{field("GroupId", &M::group_id, {8}), field("MemberId", &M::member_id, {9}).ignorable(),
                        field("MemberEpoch", &M::member_epoch, {9}).ignorable(), field("Topics", &M::topics, {8})};
    }
  };
  std::string group_id;
  std::optional<std::vector<Topic>> topics = std::vector<Topic>();
  std::vector<Group> groups;
  bool require_stable = false;
  static constexpr auto fields() {
    using M = OffsetFetchRequest;
    return std::tuple{field("GroupId", &M::group_id, {0, 7}),
                      field("Topics", &M::topics, {0, 7}).nullable_in({2, 7}),
                      field("Groups", &M::groups, {8}),
                      field("RequireStable", &M::require_stable, {7})};
  }
};

struct OffsetFetchResponse {
  static constexpr Versions valid{1, 9}, flexible{6};
  struct Partition {
    int32_t partition_index = 0;
    int64_t committed_offset = -1;
    int32_t committed_leader_epoch = -1;
    std::optional<std::string> metadata = std::string();
    int16_t error_code = 0;
    static constexpr auto fields() {
      using M = Partition;
      return std::tuple{field("PartitionIndex", &M::partition_index, {0}),
                        field("CommittedOffset", &M::committed_offset, {0}),
                        field("CommittedLeaderEpoch", &M::committed_leader_epoch, {5}).ignorable(),
                        field("Metadata", &M::metadata, {0}), field("ErrorCode", &M::error_code, {0})};
    }
  };
  struct Topic {
    std::string name;
    std::vector<Partition> partitions;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Partitions", &Topic::partitions, {0})};
    }
  };
  struct Group {
    std::string group_id;
    std::vector<Topic> topics;
    int16_t error_code = 0;
    static constexpr auto fields() {
      using M = Group;
      return std::tuple{field("GroupId", &M::group_id, {8}), field("Topics", &M::topics, {8}),
                        field("ErrorCode", &M::error_code, {8})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  int16_t error_code = 0;
  std::vector<Group> groups;
  static constexpr auto fields() {
    using M = OffsetFetchResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {3}).ignorable(),
                      field("Topics", &M::topics, {0, 7}),
                      field("ErrorCode", &M::error_code, {2, 7}).ignorable(),
                      field("Groups", &M::groups, {8})};
  }
};

}  // namespace topicfs::kafka
