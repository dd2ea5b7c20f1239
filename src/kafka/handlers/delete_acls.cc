// DeleteAcls: each filter is refused, as by a Kafka without an authorizer.

#include "kafka/handlers/call.h"
#include "kafka/messages/delete_acls.h"

namespace topicfs::kafka {

void handle(Gateway&, CallPtr<DeleteAclsRequest, DeleteAclsResponse> call) {
  for (size_t i = 0; i < call->request.filters.size(); i++)
    call->response.results.push_back({code_of(ErrorCode::kSecurityDisabled), std::string(kNoAccessControl), {}});
}

template std::unique_ptr<Exchange> new_call<DeleteAclsRequest, DeleteAclsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
