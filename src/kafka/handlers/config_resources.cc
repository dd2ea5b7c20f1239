#include "kafka/handlers/config_resources.h"

#include "base/topic_settings.h"
#include "kafka/handlers/error_map.h"

namespace topicfs::kafka {

void refuse(AlterOutcome& out, ErrorCode code, std::string why) {
  out.error_code = code_of(code);
  out.error_message = std::move(why);
}

TopicPtr topic_to_alter(Gateway& gateway, AlterOutcome& out) {
  if (out.type == kBrokerResource) {
    refuse(out, ErrorCode::kInvalidRequest,
           out.name.empty() || out.name == std::to_string(kNodeId)
               ? "the broker's settings are those that the daemon was started with; see topicfs-kafka(8)"
               : "there is no broker " + out.name);
    return nullptr;
  }
  if (out.type != kTopicResource || out.name.empty()) {
    refuse(out, ErrorCode::kInvalidRequest,
           out.type == kTopicResource ? "a topic has a name" : "only topics have settings that can be changed");
    return nullptr;
  }
  TopicPtr topic = gateway.engine.find_topic(out.name);
  if (!topic) refuse(out, ErrorCode::kUnknownTopicOrPartition, "there is no topic " + out.name);
  return topic;
}

void change_settings(Gateway& gateway, const TopicInfo& topic, SettingChanges changes, bool validate_only,
                     AlterOutcome& out, std::shared_ptr<const void> call) {
  auto settle = [&out, call = std::move(call)](const Error* error) {
    if (error) refuse(out, error_code_of(*error, Verb::catalog), error->what);
  };
  if (!validate_only)
    return gateway.engine.change_settings(topic.id, std::move(changes), [settle](Result<TopicPtr> changed) {
      settle(changed ? nullptr : &changed.error());
    });
  TopicSettings settings = topic.settings;
  for (auto& [name, value] : changes) {
    if (value) settings[name] = *value;
    else settings.erase(name);
  }
  auto parsed = parse_topic_settings(settings);
  settle(parsed ? nullptr : &parsed.error());
}

}  // namespace topicfs::kafka
