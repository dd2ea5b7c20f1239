// DescribeGroups. A group that does not exist is a dead one without an error up to version 5, GROUP_ID_NOT_FOUND since
// (KIP-1043).

#include "kafka/handlers/blob_bytes.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/describe_groups.h"

namespace topicfs::kafka {
namespace {

using DescribeCall = CallPtr<DescribeGroupsRequest, DescribeGroupsResponse>;

constexpr int16_t kFirstNotFoundVersion = 6;

void show(GroupView view, DescribeGroupsResponse::Group& out) {
  out.state = name_of(view.stage);
  out.protocol_type = std::move(view.protocol_type);
  out.protocol_data = std::move(view.protocol);
  for (auto& m : view.members)
    out.members.push_back({std::move(m.id), std::move(m.instance_id), std::move(m.client_id), std::move(m.client_host),
                           bytes_of(std::move(m.metadata)), bytes_of(std::move(m.assignment))});
}

void describe(const GroupCoordinator& groups, const std::string& name, const DescribeCall& call) {
  auto& out = call->response.groups.emplace_back();
  out.group_id = name;
  if (!groups.is_loaded()) {
    out.error_code = code_of(ErrorCode::kCoordinatorLoadInProgress);
    return;
  }
  if (call->request.include_authorized_operations) out.authorized_operations = kAllGroupOperations;
  if (auto view = groups.describe(name)) return show(std::move(*view), out);
  out.state = "Dead";
  if (call->version() < kFirstNotFoundVersion) return;
  out.error_code = code_of(ErrorCode::kGroupIdNotFound);
  out.error_message = "there is no such group";
}

}  // namespace

void handle(Gateway& gateway, DescribeCall call) {
  gateway.groups->run([call = std::move(call)](GroupCoordinator& groups, Now, Actions&) {
    for (const std::string& name : call->request.groups) describe(groups, name, call);
  });
}

template std::unique_ptr<Exchange> new_call<DescribeGroupsRequest, DescribeGroupsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
