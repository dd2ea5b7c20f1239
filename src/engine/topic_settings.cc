#include "engine/topic_settings.h"

#include "base/topic_settings.h"

namespace topicfs {

void apply_settings(const TopicSettings& settings, uint32_t default_max_message_bytes, Partition& partition) {
  constexpr auto relaxed = std::memory_order_relaxed;
  uint32_t bytes = settings.contains("max.message.bytes")
                       ? static_cast<uint32_t>(topic_setting_number(settings, "max.message.bytes"))
                       : default_max_message_bytes;
  partition.max_message_bytes.store(bytes, relaxed);
  partition.log_append_time.store(topic_setting(settings, "message.timestamp.type") == "LogAppendTime", relaxed);
  partition.needs_keys.store(topic_setting_has(settings, "cleanup.policy", "compact"), relaxed);
  partition.timestamp_before_max.store(topic_setting_number(settings, "message.timestamp.before.max.ms"), relaxed);
  partition.timestamp_after_max.store(topic_setting_number(settings, "message.timestamp.after.max.ms"), relaxed);
}

}  // namespace topicfs
