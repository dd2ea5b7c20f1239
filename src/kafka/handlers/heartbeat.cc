// Heartbeat.

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/heartbeat.h"

namespace topicfs::kafka {

void handle(Gateway& gateway, CallPtr<HeartbeatRequest, HeartbeatResponse> call) {
  std::string group = call->request.group_id;
  gateway.groups->run_for(std::move(group), [call = std::move(call)](GroupCoordinator& groups, Now now, Actions&) {
    const HeartbeatRequest& in = call->request;
    GroupError error = groups.heartbeat(in.group_id, {in.member_id, in.group_instance_id}, in.generation_id, now);
    call->response.error_code = code_of(error_code_of(error));
  });
}

template std::unique_ptr<Exchange> new_call<HeartbeatRequest, HeartbeatResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
