// CreateAcls: each is refused, as by a Kafka without an authorizer.

#include "kafka/handlers/call.h"
#include "kafka/messages/create_acls.h"

namespace topicfs::kafka {

void handle(Gateway&, CallPtr<CreateAclsRequest, CreateAclsResponse> call) {
  for (size_t i = 0; i < call->request.creations.size(); i++)
    call->response.results.push_back({code_of(ErrorCode::kSecurityDisabled), std::string(kNoAccessControl)});
}

template std::unique_ptr<Exchange> new_call<CreateAclsRequest, CreateAclsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
