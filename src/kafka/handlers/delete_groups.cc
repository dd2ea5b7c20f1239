// DeleteGroups. Answered when the deletions are durable. A name that comes twice is deleted once.
#include <algorithm>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/delete_groups.h"

namespace topicfs::kafka {

void handle(Gateway& gateway, CallPtr<DeleteGroupsRequest, DeleteGroupsResponse> call) {
  std::vector<std::string> names = call->request.group_names;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  auto& results = call->response.results;
  for (const std::string& name : names) results.push_back({name, 0});
  for (size_t i = 0; i < names.size(); i++)
    gateway.groups->delete_group(names[i], [call, &result = results[i]](GroupError error) {
      result.error_code = code_of(error_code_of(error));
    });
}

template std::unique_ptr<Exchange> new_call<DeleteGroupsRequest, DeleteGroupsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
