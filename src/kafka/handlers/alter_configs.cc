// AlterConfigs: what the request does not name goes back to its default.
#include <map>

#include "kafka/handlers/call.h"
#include "kafka/handlers/config_resources.h"
#include "kafka/messages/alter_configs.h"

namespace topicfs::kafka {
namespace {

using AlterCall = CallPtr<AlterConfigsRequest, AlterConfigsResponse>;

/// The request's settings as changes of `topic`; nullopt: `out` says why not.
std::optional<SettingChanges> read_changes(const TopicInfo& topic, const AlterConfigsRequest::Resource& in,
                                           AlterOutcome& out) {
  SettingChanges changes;
  for (const auto& [name, value] : topic.settings) changes[name] = std::nullopt;
  std::map<std::string_view, int> named;
  for (const auto& setting : in.settings) {
    if (!setting.value || named[setting.name]++ > 0) {
      refuse(out, ErrorCode::kInvalidRequest,
             setting.name + (setting.value ? " is named twice" : " has no value; to reset it, leave it out"));
      return std::nullopt;
    }
    changes[setting.name] = setting.value;
  }
  return changes;
}

}  // namespace

void handle(Gateway& gateway, AlterCall call) {
  const AlterConfigsRequest& request = call->request;
  std::map<std::pair<int8_t, std::string_view>, int> named;
  for (const auto& in : request.resources) named[{in.type, in.name}]++;
  call->response.resources.reserve(request.resources.size());  // completions keep references into it
  for (const auto& in : request.resources) {
    AlterOutcome& out = call->response.resources.emplace_back();
    out.type = in.type;
    out.name = in.name;
    if (named[{in.type, in.name}] > 1) {
      refuse(out, ErrorCode::kInvalidRequest, "the resource is named twice");
      continue;
    }
    TopicPtr topic = topic_to_alter(gateway, out);
    if (!topic) continue;
    if (auto changes = read_changes(*topic, in, out))
      change_settings(gateway, *topic, std::move(*changes), request.validate_only, out, call);
  }
}

template std::unique_ptr<Exchange> new_call<AlterConfigsRequest, AlterConfigsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
