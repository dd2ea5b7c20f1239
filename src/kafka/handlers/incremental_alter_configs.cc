// IncrementalAlterConfigs: sets, resets, and adds to or takes from lists. A list is read here and written by the
// engine, so that of two clients that change the same list at the same time the later one wins.
#include <algorithm>
#include <map>

#include "base/topic_settings.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/config_resources.h"
#include "kafka/messages/incremental_alter_configs.h"

namespace topicfs::kafka {
namespace {

using AlterCall = CallPtr<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>;
using In = IncrementalAlterConfigsRequest::Setting;

constexpr int8_t kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3;

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    parts.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return parts;
}

/// The topic's list with the words of `in` added, or taken away. kInvalidArgument if it is no list.
Result<std::string> changed_list(const TopicInfo& topic, const In& in) {
  const TopicSetting* setting = find_topic_setting(in.name);
  if (setting && setting->form != TopicSettingForm::words)
    return fail(Errc::kInvalidArgument, in.name + " is no list that could be added to or taken from");
  TRY_ASSIGN(std::string words, parse_topic_setting(in.name, *in.value));
  std::vector<std::string> list = split(topic_setting(topic.settings, in.name));
  for (const std::string& word : split(words)) {
    auto at = std::find(list.begin(), list.end(), word);
    if (in.operation == kSubtract && at != list.end()) list.erase(at);
    if (in.operation == kAppend && at == list.end()) list.push_back(word);
  }
  std::string joined;
  for (const std::string& word : list) joined += joined.empty() ? word : "," + word;
  return joined;
}

/// False: `out` says why not.
bool read_change(const TopicInfo& topic, const In& in, SettingChanges& changes, AlterOutcome& out) {
  if (in.operation < kSet || in.operation > kSubtract)
    return refuse(out, ErrorCode::kInvalidRequest, "there is no operation " + std::to_string(in.operation)), false;
  if (changes.contains(in.name)) return refuse(out, ErrorCode::kInvalidRequest, in.name + " is named twice"), false;
  std::optional<std::string>& change = changes[in.name];
  if (in.operation == kDelete) return true;
  if (!in.value) return refuse(out, ErrorCode::kInvalidRequest, in.name + " has no value"), false;
  change = in.value;
  if (in.operation == kSet) return true;
  auto list = changed_list(topic, in);
  if (!list) return refuse(out, ErrorCode::kInvalidConfig, list.error().what), false;
  change = std::move(*list);
  return true;
}

}  // namespace

void handle(Gateway& gateway, AlterCall call) {
  alter_resources(gateway, call, [](const TopicInfo& topic, const auto& in, AlterOutcome& out) {
    std::optional<SettingChanges> changes{std::in_place};
    for (const In& setting : in.settings)
      if (!read_change(topic, setting, *changes, out)) return std::optional<SettingChanges>();
    return changes;
  });
}

template std::unique_ptr<Exchange> new_call<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
