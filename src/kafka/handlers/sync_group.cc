// SyncGroup. The request is parked in the coordinator until the leader's shares are saved.

#include "kafka/handlers/blob_bytes.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/sync_group.h"

namespace topicfs::kafka {
namespace {

using SyncCall = CallPtr<SyncGroupRequest, SyncGroupResponse>;

constexpr int16_t kFirstProtocolVersion = 5;  // and then it must be there

SyncRequest request_of(SyncGroupRequest& in) {
  SyncRequest out;
  out.group = std::move(in.group_id);
  out.member = {std::move(in.member_id), std::move(in.group_instance_id)};
  out.generation = in.generation_id;
  out.protocol_type = std::move(in.protocol_type);
  out.protocol = std::move(in.protocol_name);
  for (auto& a : in.assignments)
    out.assignments.push_back({std::move(a.member_id), make_blob(std::string(as_text(a.assignment)))});
  return out;
}

}  // namespace

void handle(Gateway& gateway, SyncCall call) {
  const SyncGroupRequest& in = call->request;
  if (call->version() >= kFirstProtocolVersion && (!in.protocol_type || !in.protocol_name)) {
    call->response.error_code = code_of(ErrorCode::kInconsistentGroupProtocol);
    return;
  }
  SyncRequest request = request_of(call->request);
  Exchange& exchange = *call;
  Ticket ticket = gateway.groups->sync(std::move(request), [call = std::move(call)](SyncResult result) {
    SyncGroupResponse& out = call->response;
    out.error_code = code_of(error_code_of(result.error));
    out.protocol_type = std::move(result.protocol_type);
    out.protocol_name = std::move(result.protocol);
    out.assignment = bytes_of(std::move(result.assignment));
  });
  exchange.on_abandoned = [&gateway, ticket] { gateway.groups->abandon(ticket); };
}

template std::unique_ptr<Exchange> new_call<SyncGroupRequest, SyncGroupResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
