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

void handle(Gateway& gateway, AlterCall call) { alter_resources(gateway, call, read_changes); }

template std::unique_ptr<Exchange> new_call<AlterConfigsRequest, AlterConfigsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
