// DeleteTopics, by name or id. KIP-4, KIP-516.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <topicfs/types.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DeleteTopicsRequest {
  static constexpr int16_t key = 20;
  static constexpr Versions valid{1, 6}, flexible{4};
  struct Topic {
    std::optional<std::string> name;
    Uuid topic_id;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {6}), field("TopicId", &Topic::topic_id, {6})};
    }
  };
  std::vector<Topic> topics;
  std::vector<std::string> topic_names;
  int32_t timeout_ms = 0;
  static constexpr auto fields() {
    using M = DeleteTopicsRequest;
    return std::tuple{field("Topics", &M::topics, {6}), field("TopicNames", &M::topic_names, {0, 5}).ignorable(),
                      field("TimeoutMs", &M::timeout_ms, {0})};
  }
};

struct DeleteTopicsResponse {
  static constexpr Versions valid{1, 6}, flexible{4};
  struct Topic {
    std::optional<std::string> name = std::string();
    Uuid topic_id;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    static constexpr auto fields() {
      return std::tuple{field("Name", &Topic::name, {0}).nullable_in({6}),
                        field("TopicId", &Topic::topic_id, {6}).ignorable(),
                        field("ErrorCode", &Topic::error_code, {0}),
                        field("ErrorMessage", &Topic::error_message, {5}).ignorable()};
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Topic> topics;
  static constexpr auto fields() {
    using M = DeleteTopicsResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("Responses", &M::topics, {0})};
  }
};

}  // namespace topicfs::kafka
