// The broker's settings as DescribeConfigs shows them, under Kafka's names: what the daemon was started with, what
// topics get that set nothing, and what clients look for. None can be changed while the daemon runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kafka/handlers/gateway.h"
#include "kafka/handlers/topic_settings.h"

namespace topicfs::kafka {

/// Kafka's numbers for types of values (ConfigType).
enum class SettingType : int8_t { flag = 1, text = 2, number32 = 3, number64 = 5, fraction = 6, list = 7 };
SettingType type_of(TopicSettingForm form);

struct BrokerSetting {
  std::string_view name;
  std::string value;
  SettingType type;
  SettingSource source;
  std::string_view help;
};

std::vector<BrokerSetting> broker_settings(const GatewaySettings& options);

}  // namespace topicfs::kafka
