// JoinGroup. The request is parked in the coordinator until its group is complete.

#include "kafka/handlers/blob_bytes.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/join_group.h"

namespace topicfs::kafka {
namespace {

using JoinCall = CallPtr<JoinGroupRequest, JoinGroupResponse>;
using std::chrono::milliseconds;

constexpr int16_t kFirstRebalanceTimeoutVersion = 1, kFirstMemberIdRequiredVersion = 4, kFirstSkipAssignmentVersion = 9;
constexpr int16_t kFirstNullableProtocolVersion = 7;

/// As Kafka shows it: "/10.0.0.9".
std::string host_of(const Peer& peer) {
  return "/" + peer.client_address.substr(0, peer.client_address.rfind(':'));
}

JoinRequest request_of(const JoinCall& call) {
  JoinGroupRequest& in = call->request;
  JoinRequest out;
  out.group = std::move(in.group_id);
  out.member_id = std::move(in.member_id);
  out.instance_id = std::move(in.group_instance_id);
  out.client_id = call->header.client_id.value_or("");
  out.client_host = host_of(call->sink->peer());
  out.session_timeout = milliseconds(in.session_timeout_ms);
  bool has_rebalance_timeout = call->version() >= kFirstRebalanceTimeoutVersion;
  out.rebalance_timeout = milliseconds(has_rebalance_timeout ? in.rebalance_timeout_ms : in.session_timeout_ms);
  out.protocol_type = std::move(in.protocol_type);
  for (auto& p : in.protocols) out.protocols.push_back({std::move(p.name), make_blob(std::string(as_text(p.metadata)))});
  out.reason = in.reason.value_or("it did not say why");
  out.must_know_its_id = call->version() >= kFirstMemberIdRequiredVersion;
  out.can_skip_assignment = call->version() >= kFirstSkipAssignmentVersion;
  return out;
}

void respond(JoinGroupResponse& out, JoinResult& result, int16_t version) {
  out.error_code = code_of(error_code_of(result.error));
  out.generation_id = result.generation;
  out.protocol_type = std::move(result.protocol_type);
  out.protocol_name = std::move(result.protocol);
  bool has_name = out.protocol_name && !out.protocol_name->empty();
  if (!has_name && version < kFirstNullableProtocolVersion) out.protocol_name = "";
  if (!has_name && version >= kFirstNullableProtocolVersion) out.protocol_name.reset();
  out.leader = std::move(result.leader);
  out.skip_assignment = result.skip_assignment;
  out.member_id = std::move(result.member_id);
  for (JoinedMember& m : result.members)
    out.members.push_back({std::move(m.id), std::move(m.instance_id), bytes_of(std::move(m.metadata))});
}

}  // namespace

void handle(Gateway& gateway, JoinCall call) {
  JoinRequest request = request_of(call);
  Exchange& exchange = *call;
  Ticket ticket = gateway.groups->join(std::move(request), [call = std::move(call)](JoinResult result) {
    respond(call->response, result, call->version());
  });
  exchange.on_abandoned = [&gateway, ticket] { gateway.groups->abandon(ticket); };
}

template std::unique_ptr<Exchange> new_call<JoinGroupRequest, JoinGroupResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
