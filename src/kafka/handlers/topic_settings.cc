#include "kafka/handlers/topic_settings.h"

namespace topicfs::kafka {

std::vector<ShownSetting> shown_settings(const TopicSettings& set) {
  std::vector<ShownSetting> shown;
  for (const TopicSetting& s : all_topic_settings()) {
    auto at = set.find(s.name);
    if (at == set.end()) shown.push_back({s, std::string(s.default_value), SettingSource::default_value});
    else shown.push_back({s, at->second, SettingSource::topic});
  }
  return shown;
}

}  // namespace topicfs::kafka
