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

}  // namespace topicfs::kafka
