// DescribeAcls: there are none, and tools that copy topics take the error for "nothing to copy".

#include "kafka/handlers/call.h"
#include "kafka/messages/describe_acls.h"

namespace topicfs::kafka {

void handle(Gateway&, CallPtr<DescribeAclsRequest, DescribeAclsResponse> call) {
  call->response.error_code = code_of(ErrorCode::kSecurityDisabled);
  call->response.error_message = kNoAccessControl;
}

template std::unique_ptr<Exchange> new_call<DescribeAclsRequest, DescribeAclsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
