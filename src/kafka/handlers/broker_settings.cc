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
      {"group.initial.rebalance.delay.ms", std::to_string(options.groups.initial_rebalance_delay.count()), number32,
       started_with, "How long the first members of a group wait for others: --group-initial-rebalance-delay."},
      {"group.max.session.timeout.ms", std::to_string(options.groups.max_session_timeout.count()), number32, started_with,
       "Longest session of a member of a group: --group-max-session-timeout."},
      {"group.max.size", std::to_string(options.groups.max_members), number32, started_with,
       "Most members of a group: --group-max-size."},
      {"group.min.session.timeout.ms", std::to_string(options.groups.min_session_timeout.count()), number32, started_with,
       "Shortest session of a member of a group: --group-min-session-timeout."},
      {"log.retention.hours", "-1", number32, built_in, "Without retention.ms a topic keeps its records."},
      {"node.id", std::to_string(kNodeId), number32, built_in, "The number of the only broker."},
      {"num.partitions", std::to_string(options.default_partitions), number32, started_with,
       "Partitions of a topic that is made without saying how many: --default-partitions."},
      {"max.incremental.fetch.session.cache.slots", std::to_string(options.max_fetch_sessions), number32, started_with,
       "The most fetch sessions at a time: --max-fetch-sessions."},
      {"offsets.retention.minutes", std::to_string(std::chrono::floor<std::chrono::minutes>(options.groups.offsets_retention).count()),
       number32, started_with, "How long offsets of a group without members are kept: --offsets-retention."},
  };
  for (const TopicSetting& s : all_topic_settings())
    if (!s.broker_name.empty())
      all.push_back({s.broker_name, std::string(s.default_value), type_of(s.form), built_in, s.help});
  return all;
}

}  // namespace topicfs::kafka
