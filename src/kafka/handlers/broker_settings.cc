#include "kafka/handlers/broker_settings.h"

namespace topicfs::kafka {

SettingType type_of(TopicSettingForm form) {
  switch (form) {
    case TopicSettingForm::number32: return SettingType::number32;
    case TopicSettingForm::number64: return SettingType::number64;
    case TopicSettingForm::word: return SettingType::text;
    case TopicSettingForm::words: return SettingType::list;
    case TopicSettingForm::flag: return SettingType::flag;
    case TopicSettingForm::fraction: return SettingType::fraction;
  }
  return SettingType::text;
}

std::vector<BrokerSetting> broker_settings(const GatewaySettings& options) {
  using enum SettingType;
  auto started_with = SettingSource::broker, built_in = SettingSource::default_value;
  std::vector<BrokerSetting> all{
      {"auto.create.topics.enable", options.auto_create_topics ? "true" : "false", flag, started_with,
       "Whether topics that clients name are created: --auto-create-topics."},
      {"default.replication.factor", "1", number32, built_in, "There is one replica."},
      {"delete.topic.enable", "true", flag, built_in, "Topics can be deleted."},
      {"fetch.max.bytes", std::to_string(kMaxFetchBytes), number32, built_in, "The most that one Fetch answers with."},
      {"log.retention.hours", "168", number32, built_in, "Topics have retention.ms."},
      {"node.id", std::to_string(kNodeId), number32, built_in, "The number of the only broker."},
      {"num.partitions", std::to_string(options.default_partitions), number32, started_with,
       "Partitions of a topic that is made without saying how many: --default-partitions."},
      {"max.incremental.fetch.session.cache.slots", std::to_string(options.max_fetch_sessions), number32, started_with,
       "The most fetch sessions at a time: --max-fetch-sessions."},
  };
  for (const TopicSetting& s : all_topic_settings())
    if (!s.broker_name.empty())
      all.push_back({s.broker_name, std::string(s.default_value), type_of(s.form), built_in, s.help});
  return all;
}

}  // namespace topicfs::kafka
