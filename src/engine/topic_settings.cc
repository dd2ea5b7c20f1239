#include "engine/topic_settings.h"

#include "base/topic_settings.h"
#include "codec/compression.h"

namespace topicfs {
namespace {

constexpr std::pair<std::string_view, Codec> kCodecs[] = {
    {"uncompressed", Codec::none}, {"gzip", Codec::gzip}, {"snappy", Codec::snappy}, {"lz4", Codec::lz4}, {"zstd", Codec::zstd}};

Partition::Compression compression_of(const TopicSettings& settings) {
  const std::string_view type = topic_setting(settings, "compression.type");
  for (const auto& [name, codec] : kCodecs) {
    if (name != type) continue;
    const std::string level = "compression." + std::string(type) + ".level";
    const bool has_level = find_topic_setting(level) != nullptr;
    return {static_cast<int32_t>(codec), has_level ? static_cast<int32_t>(topic_setting_number(settings, level)) : 0};
  }
  return {};
}

}  // namespace

void apply_settings(const TopicSettings& settings, uint32_t default_max_message_bytes, Partition& partition) {
  constexpr auto relaxed = std::memory_order_relaxed;
  uint32_t bytes = settings.contains("max.message.bytes")
                       ? static_cast<uint32_t>(topic_setting_number(settings, "max.message.bytes"))
                       : default_max_message_bytes;
  partition.max_message_bytes.store(bytes, relaxed);
  partition.log_append_time.store(topic_setting(settings, "message.timestamp.type") == "LogAppendTime", relaxed);
  partition.compression.store(compression_of(settings), relaxed);
  partition.needs_keys.store(topic_setting_has(settings, "cleanup.policy", "compact"), relaxed);
  // Nothing is removed from a topic that is to be compacted, until compaction itself comes.
  bool deletes = topic_setting(settings, "cleanup.policy") == "delete";
  partition.retention_ms.store(deletes ? topic_setting_number(settings, "retention.ms") : -1, relaxed);
  partition.retention_bytes.store(deletes ? topic_setting_number(settings, "retention.bytes") : -1, relaxed);
  partition.timestamp_before_max.store(topic_setting_number(settings, "message.timestamp.before.max.ms"), relaxed);
  partition.timestamp_after_max.store(topic_setting_number(settings, "message.timestamp.after.max.ms"), relaxed);
}

}  // namespace topicfs
