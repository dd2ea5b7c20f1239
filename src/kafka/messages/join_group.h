// JoinGroup: a member asks to be in the next generation of its group. KIP-62, KIP-345, KIP-394, KIP-559, KIP-800,
// KIP-814.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct JoinGroupRequest {
  static constexpr int16_t key = 11;
  static constexpr Versions valid{0, 9}, flexible{6};
  struct Protocol {
    std::string name;
    ByteSpan metadata;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Protocol::name, {0}), field("Metadata", &Protocol::metadata, {0})};
    }
  };
  std::string group_id;
  int32_t session_timeout_ms = 0;
  int32_t rebalance_timeout_ms = -1;
  std::string member_id;
  std::optional<std::string> group_instance_id;
  std::string protocol_type;
  std::vector<Protocol> protocols;
  std::optional<std::string> reason;
  static constexpr auto fields() {
    using M = JoinGroupRequest;
    return std::tuple{field("GroupId", &M::group_id, {0}),
                      field("SessionTimeoutMs", &M::session_timeout_ms, {0}),
                      field("RebalanceTimeoutMs", &M::rebalance_timeout_ms, {1}).ignorable(),
                      field("MemberId", &M::member_id, {0}),
                      field("GroupInstanceId", &M::group_instance_id, {5}),
                      field("ProtocolType", &M::protocol_type, {0}),
                      field("Protocols", &M::protocols, {0}),
                      field("Reason", &M::reason, {8}).ignorable()};
  }
};

struct JoinGroupResponse {
  static constexpr Versions valid{0, 9}, flexible{6};
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    Bytes metadata;
    static constexpr auto fields() {
      using M = Member;
      return std::tuple{field("MemberId", &M::member_id, {0}),
                        field("GroupInstanceId", &M::group_instance_id, {5}).ignorable(),
                        field("Metadata", &M::metadata, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int32_t generation_id = -1;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name = std::string();
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<Member> members;
  static constexpr auto fields() {
    using M = JoinGroupResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {2}).ignorable(),
                      field("ErrorCode", &M::error_code, {0}),
                      field("GenerationId", &M::generation_id, {0}),
                      field("ProtocolType", &M::protocol_type, {7}).ignorable(),
                      field("ProtocolName", &M::protocol_name, {0}).nullable_in({7}),
                      field("Leader", &M::leader, {0}),
                      field("SkipAssignment", &M::skip_assignment, {9}),
                      field("MemberId", &M::member_id, {0}),
                      field("Members", &M::members, {0})};
  }
};

}  // namespace topicfs::kafka
