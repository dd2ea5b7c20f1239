// FindCoordinator: which broker looks after a group or a transactional id. KIP-98, KIP-699.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct FindCoordinatorRequest {
  static constexpr int16_t key = 10;
  static constexpr Versions valid{0, 5}, flexible{3};
  std::string key_name;
  int8_t key_type = 0;
  std::vector<std::string> coordinator_keys;
  static constexpr auto fields() {
    using M = FindCoordinatorRequest;
    return std::tuple{field("Key", &M::key_name, {0, 3}), field("KeyType", &M::key_type, {1}),
                      field("CoordinatorKeys", &M::coordinator_keys, {4})};
  }
};

struct FindCoordinatorResponse {
  static constexpr Versions valid{0, 5}, flexible{3};
  struct Coordinator {
    std::string key;
    int32_t node_id = 0;
    std::string host;
    int32_t port = 0;
    int16_t error_code = 0;
    std::optional<std::string> error_message = std::string();
    static constexpr auto fields() {
      using M = Coordinator;
      return std::tuple{field("Key", &M::key, {4}), field("NodeId", &M::node_id, {4}), field("Host", &M::host, {4}),
                        field("Port", &M::port, {4}), field("ErrorCode", &M::error_code, {4}),
                        field("ErrorMessage", &M::error_message, {4}).ignorable()};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message = std::string();
  int32_t node_id = 0;
  std::string host;
  int32_t port = 0;
  std::vector<Coordinator> coordinators;
  static constexpr auto fields() {
    using M = FindCoordinatorResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {1}).ignorable(),
                      field("ErrorCode", &M::error_code, {0, 3}),
                      field("ErrorMessage", &M::error_message, {1, 3}).ignorable(),
                      field("NodeId", &M::node_id, {0, 3}),
                      field("Host", &M::host, {0, 3}),
                      field("Port", &M::port, {0, 3}),
                      field("Coordinators", &M::coordinators, {4})};
  }
};

}  // namespace topicfs::kafka
