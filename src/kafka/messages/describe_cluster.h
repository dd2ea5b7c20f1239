// DescribeCluster: this broker, for admin clients. KIP-700, KIP-919, KIP-1073.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/messages/metadata.h"
#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct DescribeClusterRequest {
  static constexpr int16_t key = 60;
  static constexpr Versions valid{0, 2}, flexible{0};
  bool include_cluster_authorized_operations = false;
  int8_t endpoint_type = 1;
  bool include_fenced_brokers = false;
  static constexpr auto fields() {
    using M = DescribeClusterRequest;
    return std::tuple{field("IncludeClusterAuthorizedOperations", &M::include_cluster_authorized_operations, {0}),
                      field("EndpointType", &M::endpoint_type, {1}),
                      field("IncludeFencedBrokers", &M::include_fenced_brokers, {2})};
  }
};

struct DescribeClusterResponse {
  static constexpr Versions valid{0, 2}, flexible{0};
  struct Broker {
    int32_t broker_id = 0;
    std::string host;
    int32_t port = 0;
    std::optional<std::string> rack;
    bool is_fenced = false;
    static constexpr auto fields() {
      return std::tuple{field("BrokerId", &Broker::broker_id, {0}), field("Host", &Broker::host, {0}),
                        field("Port", &Broker::port, {0}), field("Rack", &Broker::rack, {0}),
                        field("IsFenced", &Broker::is_fenced, {2})};
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  int8_t endpoint_type = 1;
  std::string cluster_id;
  int32_t controller_id = -1;
  std::vector<Broker> brokers;
  int32_t cluster_authorized_operations = kNoAuthorizedOperations;
  static constexpr auto fields() {
    using M = DescribeClusterResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}),
                      field("ErrorCode", &M::error_code, {0}),
                      field("ErrorMessage", &M::error_message, {0}),
                      field("EndpointType", &M::endpoint_type, {1}),
                      field("ClusterId", &M::cluster_id, {0}),
                      field("ControllerId", &M::controller_id, {0}),
                      field("Brokers", &M::brokers, {0}),
                      field("ClusterAuthorizedOperations", &M::cluster_authorized_operations, {0})};
  }
};

}  // namespace topicfs::kafka
