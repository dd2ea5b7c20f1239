// What has settings, by Kafka's numbers, and changing a topic's: shared by the handlers of DescribeConfigs, AlterConfigs
// and IncrementalAlterConfigs.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "kafka/handlers/gateway.h"
#include "kafka/messages/alter_configs.h"
#include "kafka/wire/error_code.h"

namespace topicfs::kafka {

inline constexpr int8_t kTopicResource = 2, kBrokerResource = 4;

/// Set (value) or reset (nullopt), by name.
using SettingChanges = std::map<std::string, std::optional<std::string>>;
using AlterOutcome = AlterConfigsResponse::Resource;

void refuse(AlterOutcome& out, ErrorCode code, std::string why);

/// The topic that `out` names, if its settings may be changed. nullptr: `out` says why not; the settings of brokers
/// are those that the daemon was started with.
TopicPtr topic_to_alter(Gateway& gateway, AlterOutcome& out);

/// Makes the changes, or with `validate_only` says what making them would say. `call` keeps `out` where it is.
void change_settings(Gateway& gateway, const TopicInfo& topic, SettingChanges changes, bool validate_only,
                     AlterOutcome& out, std::shared_ptr<const void> call);

/// What both kinds of AlterConfigs do with their resources. `read_changes(topic, resource, outcome)` answers what to
/// change, or nullopt when it has refused the resource.
template <class AlterCall, class ReadChanges>
void alter_resources(Gateway& gateway, const AlterCall& call, ReadChanges read_changes) {
  const auto& request = call->request;
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
    if (std::optional<SettingChanges> changes = read_changes(*topic, in, out))
      change_settings(gateway, *topic, std::move(*changes), request.validate_only, out, call);
  }
}

}  // namespace topicfs::kafka
