#include "kafka/handlers/topic_settings.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace topicfs::kafka {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxLong = std::numeric_limits<int64_t>::max();

enum class Form { number, word, words, flag, fraction };

struct Setting {
  std::string_view name;
  Form form;
  std::string_view default_value;
  int64_t min = 0, max = 0;      ///< of a number
  std::string_view allowed = {};  ///< of words: separated by spaces
};

// Kafka 4.1's, sorted by name.
constexpr Setting kSettings[] = {
    {"cleanup.policy", Form::words, "delete", 0, 0, "compact delete"},
    {"compression.gzip.level", Form::number, "-1", -1, 9},
    {"compression.lz4.level", Form::number, "9", 1, 17},
    {"compression.type", Form::word, "producer", 0, 0, "uncompressed zstd lz4 snappy gzip producer"},
    {"compression.zstd.level", Form::number, "3", -131072, 22},
    {"delete.retention.ms", Form::number, "86400000", 0, kMaxLong},
    {"file.delete.delay.ms", Form::number, "60000", 0, kMaxLong},
    {"flush.messages", Form::number, "9223372036854775807", 1, kMaxLong},
    {"flush.ms", Form::number, "9223372036854775807", 0, kMaxLong},
    {"follower.replication.throttled.replicas", Form::words, "", 0, 0, {}},
    {"index.interval.bytes", Form::number, "4096", 0, kMaxInt},
    {"leader.replication.throttled.replicas", Form::words, "", 0, 0, {}},
    {"local.retention.bytes", Form::number, "-2", -2, kMaxLong},
    {"local.retention.ms", Form::number, "-2", -2, kMaxLong},
    {"max.compaction.lag.ms", Form::number, "9223372036854775807", 1, kMaxLong},
    {"max.message.bytes", Form::number, "1048588", 0, kMaxInt},
    {"message.timestamp.after.max.ms", Form::number, "3600000", 0, kMaxLong},
    {"message.timestamp.before.max.ms", Form::number, "9223372036854775807", 0, kMaxLong},
    {"message.timestamp.type", Form::word, "CreateTime", 0, 0, "CreateTime LogAppendTime"},
    {"min.cleanable.dirty.ratio", Form::fraction, "0.5", 0, 1},
    {"min.compaction.lag.ms", Form::number, "0", 0, kMaxLong},
    {"min.insync.replicas", Form::number, "1", 1, kMaxInt},
    {"preallocate", Form::flag, "false"},
    {"remote.log.copy.disable", Form::flag, "false"},
    {"remote.log.delete.on.disable", Form::flag, "false"},
    {"remote.storage.enable", Form::flag, "false"},
    {"retention.bytes", Form::number, "-1", std::numeric_limits<int64_t>::min(), kMaxLong},
    {"retention.ms", Form::number, "604800000", -1, kMaxLong},
    {"segment.bytes", Form::number, "1073741824", 1024 * 1024, kMaxInt},
    {"segment.index.bytes", Form::number, "10485760", 4, kMaxInt},
    {"segment.jitter.ms", Form::number, "0", 0, kMaxLong},
    {"segment.ms", Form::number, "604800000", 1, kMaxLong},
    {"unclean.leader.election.enable", Form::flag, "false"},
};

const Setting* find(std::string_view name) {
  for (const Setting& s : kSettings)
    if (s.name == name) return &s;
  return nullptr;
}

bool is_number(const Setting& s, std::string_view value) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= s.min && number <= s.max;
}

bool is_fraction(std::string_view value) {
  double number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= 0 && number <= 1;
}

bool is_word(std::string_view allowed, std::string_view value) {
  while (!allowed.empty()) {
    size_t space = std::min(allowed.find(' '), allowed.size());
    if (allowed.substr(0, space) == value) return true;
    allowed.remove_prefix(std::min(space + 1, allowed.size()));
  }
  return false;
}

bool are_words(std::string_view allowed, std::string_view value) {
  if (allowed.empty()) return true;
  while (true) {
    size_t comma = std::min(value.find(','), value.size());
    if (!is_word(allowed, value.substr(0, comma))) return false;
    if (comma == value.size()) return true;
    value.remove_prefix(comma + 1);
  }
}

bool fits(const Setting& s, std::string_view value) {
  switch (s.form) {
    case Form::number: return is_number(s, value);
    case Form::word: return is_word(s.allowed, value);
    case Form::words: return are_words(s.allowed, value);
    case Form::flag: return value == "true" || value == "false";
    case Form::fraction: return is_fraction(value);
  }
  return false;
}

std::string expected(const Setting& s) {
  switch (s.form) {
    case Form::number: return fmt::format("a number from {} to {}", s.min, s.max);
    case Form::word: return fmt::format("one of {}", s.allowed);
    case Form::words: return fmt::format("a list of {}", s.allowed);
    case Form::flag: return "true or false";
    case Form::fraction: return "a number from 0 to 1";
  }
  return {};
}

}  // namespace

Result<void> check_setting(std::string_view name, std::string_view value) {
  const Setting* s = find(name);
  if (s == nullptr) return fail(Errc::kInvalidArgument, fmt::format("there is no topic setting {}", name));
  if (!fits(*s, value))
    return fail(Errc::kInvalidArgument, fmt::format("{} is '{}'; expected {}", name, value, expected(*s)));
  return {};
}

std::vector<ShownSetting> shown_settings(const TopicSettings& set) {
  std::vector<ShownSetting> shown;
  for (const Setting& s : kSettings) {
    auto at = set.find(s.name);
    if (at == set.end()) shown.push_back({std::string(s.name), std::string(s.default_value), SettingSource::default_value});
    else shown.push_back({at->first, at->second, SettingSource::topic});
  }
  return shown;
}

}  // namespace topicfs::kafka
