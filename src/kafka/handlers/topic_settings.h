// Topic settings as Kafka's clients see them: each with its value, and with where that comes from.
#pragma once

#include <string>
#include <vector>

#include <topicfs/catalog.h>

#include "base/topic_settings.h"

namespace topicfs::kafka {

/// Kafka's numbers for where a value comes from (ConfigSource).
enum class SettingSource : int8_t { topic = 1, broker = 4, default_value = 5 };

struct ShownSetting {
  const TopicSetting& about;
  std::string value;
  SettingSource source;
};

/// All settings, by name, with the values of `set` or their defaults.
std::vector<ShownSetting> shown_settings(const TopicSettings& set);

}  // namespace topicfs::kafka
