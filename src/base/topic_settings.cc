// The table, and the forms of its values. A new setting is one row here and a paragraph in topicfs-topics(5).

#include "base/topic_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "base/check.h"

namespace topicfs {
namespace {

constexpr int64_t kInt = std::numeric_limits<int32_t>::max();
constexpr int64_t kLong = std::numeric_limits<int64_t>::max(), kLeastLong = std::numeric_limits<int64_t>::min();
constexpr int64_t kMiB = 1 << 20;
constexpr std::string_view kBlanks = " \t\r\n\f\v";

using enum TopicSettingForm;
using enum TopicSettingEffect;

constexpr auto kSettings = std::to_array<TopicSetting>({
    {"cleanup.policy", words, "delete", 0, 0, "compact|delete", applied, "log.cleanup.policy",
     "delete: old records go as retention.ms and retention.bytes say. compact: records need keys, and nothing is "
     "removed, because there is no compaction yet; so it is with compact,delete and with an empty list."},
    {"compression.gzip.level", number32, "-1", -1, 9, "", applied, "compression.gzip.level",
     "How hard to try where compression.type is gzip."},
    {"compression.lz4.level", number32, "9", 1, 17, "", applied, "compression.lz4.level",
     "How hard to try where compression.type is lz4; from 12 on it is the same."},
    {"compression.type", word, "producer", 0, 0, "uncompressed|zstd|lz4|snappy|gzip|producer", applied, "compression.type",
     "Batches of Kafka producers that come with another codec are compressed with this one; producer leaves them as "
     "they are. Lines of files are not compressed."},
    {"compression.zstd.level", number32, "3", -131072, 22, "", applied, "compression.zstd.level",
     "How hard to try where compression.type is zstd."},
    {"delete.retention.ms", number64, "86400000", 0, kLong, "", compaction, "log.cleaner.delete.retention.ms",
     "How long compaction keeps the marks of deleted keys."},
    {"file.delete.delay.ms", number64, "60000", 0, kLong, "", none, "log.segment.delete.delay.ms",
     "A topic has no files of its own."},
    {"flush.messages", number64, "9223372036854775807", 1, kLong, "", none, "log.flush.interval.messages",
     "Every acknowledged record is on the disk."},
    {"flush.ms", number64, "9223372036854775807", 0, kLong, "", none, "",
     "Every acknowledged record is on the disk."},
    {"follower.replication.throttled.replicas", words, "", 0, 0, "", none, "", "There are no followers."},
    {"index.interval.bytes", number32, "4096", 0, kInt, "", none, "log.index.interval.bytes",
     "A topic has no index files."},
    {"leader.replication.throttled.replicas", words, "", 0, 0, "", none, "", "There are no followers."},
    {"local.retention.bytes", number64, "-2", -2, kLong, "", none, "log.local.retention.bytes",
     "The log gives its space back as soon as data is in the store."},
    {"local.retention.ms", number64, "-2", -2, kLong, "", none, "log.local.retention.ms",
     "The log gives its space back as soon as data is in the store."},
    {"max.compaction.lag.ms", number64, "9223372036854775807", 1, kLong, "", compaction,
     "log.cleaner.max.compaction.lag.ms", "How long a record may stay out of compaction."},
    {"max.message.bytes", number32, "1048588", 0, 16 * kMiB, "", applied, "message.max.bytes",
     "The largest batch that a Kafka producer may append, compressed. Lines of files have a limit of their own."},
    {"message.timestamp.after.max.ms", number64, "3600000", 0, kLong, "", applied, "log.message.timestamp.after.max.ms",
     "How far a producer's timestamp may lie in the future; batches with later ones are refused."},
    {"message.timestamp.before.max.ms", number64, "9223372036854775807", 0, kLong, "", applied,
     "log.message.timestamp.before.max.ms",
     "How far a producer's timestamp may lie in the past; batches with earlier ones are refused."},
    {"message.timestamp.type", word, "CreateTime", 0, 0, "CreateTime|LogAppendTime", applied,
     "log.message.timestamp.type", "Whether records carry their producer's time or that of their append."},
    {"min.cleanable.dirty.ratio", fraction, "0.5", 0, 1, "", compaction, "log.cleaner.min.cleanable.ratio",
     "How much of a partition must be new before it is compacted."},
    {"min.compaction.lag.ms", number64, "0", 0, kLong, "", compaction, "log.cleaner.min.compaction.lag.ms",
     "How long a record stays out of compaction; at most max.compaction.lag.ms."},
    {"min.insync.replicas", number32, "1", 1, kInt, "", none, "min.insync.replicas",
     "There is one replica, and acknowledged records are durable in it."},
    {"preallocate", flag, "false", 0, 0, "", none, "log.preallocate", "The log of all topics is written in advance."},
    {"remote.log.copy.disable", flag, "false", 0, 0, "", fixed, "", "Data always moves to the store."},
    {"remote.log.delete.on.disable", flag, "false", 0, 0, "", fixed, "", "Data always moves to the store."},
    {"remote.storage.enable", flag, "false", 0, 0, "", fixed, "",
     "Data always moves to the store of --store; Kafka's remote storage does not exist."},
    {"retention.bytes", number64, "-1", kLeastLong, kLong, "", applied, "log.retention.bytes",
     "How much a partition may hold before its oldest records are removed; a negative number is no limit."},
    {"retention.ms", number64, "-1", -1, kLong, "", applied, "",
     "How old a record may become before it is removed; -1 is no limit. Kafka's default is seven days; files that went "
     "away by themselves would surprise."},
    {"segment.bytes", number32, "1073741824", kMiB, kInt, "", none, "log.segment.bytes",
     "All topics share one log; see --wal-segment-size."},
    {"segment.index.bytes", number32, "10485760", 4, kInt, "", none, "log.index.size.max.bytes",
     "A topic has no index files."},
    {"segment.jitter.ms", number64, "0", 0, kLong, "", none, "", "All topics share one log."},
    {"segment.ms", number64, "604800000", 1, kLong, "", none, "", "All topics share one log; see --offload-interval."},
    {"unclean.leader.election.enable", flag, "false", 0, 0, "", none, "unclean.leader.election.enable",
     "There is one replica, and no election."},
});

tl::unexpected<Error> refuse(const TopicSetting& s, std::string_view value, std::string takes) {
  return fail(Errc::kInvalidArgument, fmt::format("the topic setting {} takes {}, not '{}'", s.name, takes, value));
}

std::string_view trimmed(std::string_view text) {
  size_t first = std::min(text.find_first_not_of(kBlanks), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

/// Calls `visit(part)` for each part of `text`; none if it is empty. False as soon as `visit` says so.
template <class Visit>
bool for_each_part(std::string_view text, char separator, Visit visit) {
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (!visit(text.substr(0, end))) return false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return true;
}

bool is_choice(std::string_view choices, std::string_view word) {
  return !for_each_part(choices, '|', [&](std::string_view choice) { return choice != word; });
}

std::optional<int64_t> integer(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('+')) return std::nullopt;
  int64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

Result<std::string> parse_number(const TopicSetting& s, std::string_view value) {
  auto n = integer(value);
  if (!n || *n < s.least || *n > s.most) return refuse(s, value, fmt::format("a number from {} to {}", s.least, s.most));
  return std::to_string(*n);
}

Result<std::string> parse_fraction(const TopicSetting& s, std::string_view value) {
  double n = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (error != std::errc() || end != value.data() + value.size() || !(n >= 0 && n <= 1))
    return refuse(s, value, "a number from 0 to 1");
  return std::string(value);
}

Result<std::string> parse_flag(const TopicSetting& s, std::string_view value) {
  std::string word(value);
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (word != "true" && word != "false") return refuse(s, value, "true or false");
  return word;
}

Result<std::string> parse_word(const TopicSetting& s, std::string_view value) {
  if (!is_choice(s.choices, value)) return refuse(s, value, fmt::format("one of {}", s.choices));
  return std::string(value);
}

Result<std::string> parse_words(const TopicSetting& s, std::string_view value) {
  std::string list;
  bool good = for_each_part(value, ',', [&](std::string_view part) {
    std::string_view word = trimmed(part);
    if (!s.choices.empty() && !is_choice(s.choices, word)) return false;
    if (!list.empty()) list += ',';
    list += word;
    return true;
  });
  if (!good || value.ends_with(','))
    return refuse(s, value, s.choices.empty() ? std::string("a list") : fmt::format("a list of {}", s.choices));
  return list;
}

Result<std::string> parse(const TopicSetting& s, std::string_view value) {
  switch (s.form) {
    case number32:
    case number64: return parse_number(s, value);
    case word: return parse_word(s, value);
    case words: return parse_words(s, value);
    case flag: return parse_flag(s, value);
    case fraction: return parse_fraction(s, value);
  }
  return refuse(s, value, "something else");
}

}  // namespace

std::span<const TopicSetting> all_topic_settings() { return kSettings; }

const TopicSetting* find_topic_setting(std::string_view name) {
  for (const TopicSetting& s : kSettings)
    if (s.name == name) return &s;
  return nullptr;
}

Result<std::string> parse_topic_setting(std::string_view name, std::string_view value) {
  const TopicSetting* s = find_topic_setting(name);
  if (!s) return fail(Errc::kInvalidArgument, fmt::format("there is no topic setting '{}'; topicfs-topics(5) has them all", name));
  TRY_ASSIGN(std::string parsed, parse(*s, trimmed(value)));
  if (s->effect == fixed && parsed != s->default_value)
    return fail(Errc::kInvalidArgument, fmt::format("the topic setting {} can only be {}: {}", name, s->default_value, s->help));
  return parsed;
}

Result<TopicSettings> parse_topic_settings(const TopicSettings& settings) {
  TopicSettings parsed;
  for (const auto& [name, value] : settings) {
    TRY_ASSIGN(parsed[name], parse_topic_setting(name, value));
  }
  if (topic_setting_number(parsed, "min.compaction.lag.ms") > topic_setting_number(parsed, "max.compaction.lag.ms"))
    return fail(Errc::kInvalidArgument, "min.compaction.lag.ms is above max.compaction.lag.ms");
  return parsed;
}

std::string_view topic_setting(const TopicSettings& settings, std::string_view name) {
  if (auto it = settings.find(name); it != settings.end()) return it->second;
  const TopicSetting* s = find_topic_setting(name);
  MUST(s);
  return s->default_value;
}

int64_t topic_setting_number(const TopicSettings& settings, std::string_view name) {
  auto n = integer(topic_setting(settings, name));
  MUST(n);
  return *n;
}

bool topic_setting_has(const TopicSettings& settings, std::string_view name, std::string_view word) {
  return !for_each_part(topic_setting(settings, name), ',', [&](std::string_view part) { return part != word; });
}

}  // namespace topicfs
