// The topic settings that mean something here, by their Kafka names; any other is refused.
#pragma once

#include <topicfs/catalog.h>
#include <topicfs/result.h>

namespace topicfs {

/// kInvalidArgument names the setting and what it takes.
Result<void> check_setting(std::string_view name, std::string_view value);
Result<void> check_settings(const TopicSettings& settings);

/// What the append path needs of them.
struct AppendSettings {
  uint32_t max_message_bytes;
  bool log_append_time = false;
};
AppendSettings append_settings(const TopicSettings& settings, uint32_t default_max_message_bytes);

}  // namespace topicfs
