// ApiVersions. A version that is not served never gets here: the connection answers it, in version 0.
#include <algorithm>

#include "kafka/handlers/call.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/registry.h"

namespace topicfs::kafka {
namespace {

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// KIP-511: [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
bool is_software_name(std::string_view name) {
  return !name.empty() && is_alphanumeric(name.front()) && is_alphanumeric(name.back()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

}  // namespace

void handle(Gateway&, CallPtr<ApiVersionsRequest, ApiVersionsResponse> call) {
  const ApiVersionsRequest& request = call->request;
  if (call->version() >= 3 && !(is_software_name(request.client_software_name) &&
                                is_software_name(request.client_software_version))) {
    call->response.error_code = code_of(ErrorCode::kInvalidRequest);
    return;
  }
  call->response.api_keys = advertised_apis();
}

template std::unique_ptr<Exchange> new_call<ApiVersionsRequest, ApiVersionsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
