// LeaveGroup. Up to version 2 the error of the one member is the response's.

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/leave_group.h"

namespace topicfs::kafka {
namespace {

using LeaveCall = CallPtr<LeaveGroupRequest, LeaveGroupResponse>;

constexpr int16_t kFirstBatchVersion = 3;

std::vector<MemberName> leaving(const LeaveCall& call) {
  if (call->version() < kFirstBatchVersion) return {{call->request.member_id, std::nullopt}};
  std::vector<MemberName> names;
  for (const auto& m : call->request.members) names.push_back({m.member_id, m.group_instance_id});
  return names;
}

void respond(const LeaveCall& call, const std::vector<MemberName>& names, const GroupCoordinator::Left& left) {
  LeaveGroupResponse& out = call->response;
  out.error_code = code_of(error_code_of(left.error));
  if (left.error != GroupError::none) return;
  if (call->version() < kFirstBatchVersion) {
    out.error_code = code_of(error_code_of(left.members[0]));
    return;
  }
  for (size_t i = 0; i < names.size(); i++)
    out.members.push_back({names[i].id, names[i].instance_id, code_of(error_code_of(left.members[i]))});
}

}  // namespace

void handle(Gateway& gateway, LeaveCall call) {
  std::string group = call->request.group_id;
  gateway.groups->run_for(std::move(group), [call = std::move(call)](GroupCoordinator& groups, Now now, Actions& out) {
    std::vector<MemberName> names = leaving(call);
    respond(call, names, groups.leave(call->request.group_id, names, now, out));
  });
}

template std::unique_ptr<Exchange> new_call<LeaveGroupRequest, LeaveGroupResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
