// CreatePartitions: grow a topic. KIP-195, KIP-599.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct CreatePartitionsRequest {
  static constexpr int16_t key = 37;
  static constexpr Versions valid{0, 3}, flexible{2};
  struct Assignment {
    std::vector<int32_t> broker_ids;
    static constexpr auto fields() { return std::tuple{field("BrokerIds", &Assignment::broker_ids, {0})}; }
  };
  struct Topic {
    std::string name;
    int32_t count = 0;
    std::optional<std::vector<Assignment>> assignments = std::vector<Assignment>();
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("Count", &Topic::count, {0}),
                        field("Assignments", &Topic::assignments, {0})};
    }
  };
  std::vector<Topic> topics;
  int32_t timeout_ms = 0;
  bool validate_only = false;
  static constexpr auto fields() {
    using M = CreatePartitionsRequest;
    return std::tuple{field("Topics", &M::topics, {0}), field("TimeoutMs", &M::timeout_ms, {0}),
                      field("ValidateOnly", &M::validate_only, {0})};
  }
};

struct CreatePartitionsResponse {
  static constexpr Versions valid{0, 3}, flexible{2};
  struct Topic {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}), field("ErrorCode", &Topic::error_code, {0}),
                        field("ErrorMessage", &Topic::error_message, {0})};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = CreatePartitionsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}).ignorable(),
                      field("Results", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
