// ListGroups. Filters do not care about case; a state or type that does not exist matches nothing.
#include <algorithm>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/list_groups.h"

namespace topicfs::kafka {
namespace {

constexpr std::string_view kType = "classic";

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

bool matches(const std::vector<std::string>& filter, std::string_view what) {
  if (filter.empty()) return true;
  std::string wanted = lower_case(what);
  return std::any_of(filter.begin(), filter.end(), [&](const std::string& f) { return lower_case(f) == wanted; });
}

}  // namespace

void handle(Gateway& gateway, CallPtr<ListGroupsRequest, ListGroupsResponse> call) {
  gateway.groups->run([call = std::move(call)](GroupCoordinator& groups, Now, Actions&) {
    const ListGroupsRequest& in = call->request;
    if (!groups.is_loaded()) call->response.error_code = code_of(ErrorCode::kCoordinatorLoadInProgress);
    if (!groups.is_loaded() || !matches(in.types_filter, kType)) return;
    groups.for_each([&](const GroupCoordinator::Listed& group) {
      if (matches(in.states_filter, name_of(group.stage)))
        call->response.groups.push_back({group.name, group.protocol_type, std::string(name_of(group.stage)), std::string(kType)});
    });
  });
}

template std::unique_ptr<Exchange> new_call<ListGroupsRequest, ListGroupsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
