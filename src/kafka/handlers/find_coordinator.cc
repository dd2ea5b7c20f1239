// FindCoordinator: it is this broker, the only one.

#include "kafka/handlers/call.h"
#include "kafka/messages/find_coordinator.h"

namespace topicfs::kafka {
namespace {

constexpr int16_t kFirstBatchVersion = 4;
constexpr int8_t kGroup = 0, kTransaction = 1, kShare = 2;

}  // namespace

void handle(Gateway& gateway, CallPtr<FindCoordinatorRequest, FindCoordinatorResponse> call) {
  const FindCoordinatorRequest& request = call->request;
  FindCoordinatorResponse& response = call->response;
  bool known = request.key_type == kGroup || request.key_type == kTransaction;
  Node node = known ? gateway.node_for(call->sink->peer()) : Node{"", -1};
  int32_t id = known ? kNodeId : -1;
  int16_t error = code_of(known ? ErrorCode::kNone : ErrorCode::kInvalidRequest);
  // Kafka says nothing of the keys of share groups that it does not understand; we understand none.
  const char* why = request.key_type == kShare ? "" : "the key type must be 0 (a group) or 1 (a transactional id)";
  if (call->version() < kFirstBatchVersion) {
    response.error_code = error;
    response.error_message = known ? "NONE" : why;
    response.node_id = id, response.host = node.host, response.port = node.port;
    return;
  }
  for (const std::string& key : request.coordinator_keys) {
    auto& out = response.coordinators.emplace_back();
    out.key = key;
    out.node_id = id, out.host = node.host, out.port = node.port;
    out.error_code = error;
    if (!known) out.error_message = why;
  }
}

template std::unique_ptr<Exchange> new_call<FindCoordinatorRequest, FindCoordinatorResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
