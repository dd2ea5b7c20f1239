#include "engine/topic_settings.h"

#include <charconv>
#include <optional>
#include <string>

namespace topicfs {
namespace {

constexpr int64_t kMaxMessageBytes = 16 << 20;  // a batch fits well into a segment

std::optional<int64_t> integer(std::string_view text) {
  int64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

struct Known {
  std::string_view name, takes;
  bool (*accepts)(std::string_view);
};

constexpr Known kKnown[] = {
    {"cleanup.policy", "delete", [](std::string_view v) { return v == "delete"; }},
    {"compression.type", "producer", [](std::string_view v) { return v == "producer"; }},
    {"max.message.bytes", "0 to 16777216",
     [](std::string_view v) {
       auto n = integer(v);
       return n && *n >= 0 && *n <= kMaxMessageBytes;
     }},
    {"message.timestamp.type", "CreateTime or LogAppendTime",
     [](std::string_view v) { return v == "CreateTime" || v == "LogAppendTime"; }},
    {"min.insync.replicas", "a number from 1",
     [](std::string_view v) {
       auto n = integer(v);
       return n && *n >= 1;
     }},
};

}  // namespace

Result<void> check_setting(std::string_view name, std::string_view value) {
  for (const Known& k : kKnown) {
    if (k.name != name) continue;
    if (k.accepts(value)) return {};
    return fail(Errc::kInvalidArgument, std::string(name) + " takes " + std::string(k.takes) + ", not '" +
                                            std::string(value) + "'");
  }
  return fail(Errc::kInvalidArgument, "the topic setting " + std::string(name) + " is not known here");
}

Result<void> check_settings(const TopicSettings& settings) {
  for (const auto& [name, value] : settings) TRY(check_setting(name, value));
  return {};
}

AppendSettings append_settings(const TopicSettings& settings, uint32_t default_max_message_bytes) {
  AppendSettings result{default_max_message_bytes};
  if (auto it = settings.find("max.message.bytes"); it != settings.end())
    result.max_message_bytes = static_cast<uint32_t>(integer(it->second).value_or(default_max_message_bytes));
  if (auto it = settings.find("message.timestamp.type"); it != settings.end())
    result.log_append_time = it->second == "LogAppendTime";
  return result;
}

}  // namespace topicfs
