// Kafka's topic settings as its clients see them: names, forms and defaults. The engine keeps what was
// set; this table checks values before they get there and fills in the defaults when they are shown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <topicfs/catalog.h>
#include <topicfs/result.h>

namespace topicfs::kafka {

/// Kafka's numbers for where a value comes from (ConfigSource).
enum class SettingSource : int8_t { topic = 1, default_value = 5 };

struct ShownSetting {
  std::string name;
  std::string value;
  SettingSource source;
};

/// kInvalidArgument, with a sentence for people, if there is no such setting or the value does not fit.
Result<void> check_setting(std::string_view name, std::string_view value);

/// All settings, sorted by name, with the values of `set` or their defaults.
std::vector<ShownSetting> shown_settings(const TopicSettings& set);

}  // namespace topicfs::kafka
