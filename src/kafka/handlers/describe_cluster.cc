// DescribeCluster: one broker, which is the controller as well.

#include "kafka/handlers/call.h"
#include "kafka/messages/describe_cluster.h"

namespace topicfs::kafka {
namespace {

constexpr int8_t kBrokers = 1, kControllers = 2;

}  // namespace

void handle(Gateway& gateway, CallPtr<DescribeClusterRequest, DescribeClusterResponse> call) {
  const DescribeClusterRequest& request = call->request;
  DescribeClusterResponse& response = call->response;
  if (request.endpoint_type != kBrokers) {
    response.error_code = code_of(request.endpoint_type == kControllers ? ErrorCode::kMismatchedEndpointType
                                                                        : ErrorCode::kUnsupportedEndpointType);
    response.error_message = "ask for brokers (endpoint type 1)";
    return;
  }
  Node node = gateway.node_for(call->sink->peer());
  response.cluster_id = gateway.cluster_id;
  response.controller_id = kNodeId;
  response.brokers.push_back({kNodeId, node.host, node.port, std::nullopt, false});
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kAllClusterOperations;
}

template std::unique_ptr<Exchange> new_call<DescribeClusterRequest, DescribeClusterResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
