// Kafka's settings of topics, in one table: it drives what the engine accepts, what DescribeConfigs shows, and a
// test of topicfs-topics(5). A topic keeps what was set (TopicSettings); this file gives it its meaning.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <topicfs/catalog.h>
#include <topicfs/result.h>

namespace topicfs {

enum class TopicSettingForm {
  number32,  ///< from `least` to `most`
  number64,
  word,      ///< one of `choices`
  words,     ///< a list of them, separated by commas; may be empty
  flag,      ///< true or false
  fraction,  ///< 0 to 1
};

enum class TopicSettingEffect {
  applied,     ///< does what Kafka's does
  compaction,  ///< kept and shown: it is for compaction, which does not exist yet
  none,        ///< kept and shown: what it tunes in Kafka does not exist here
  fixed,       ///< only the default is accepted
};

struct TopicSetting {
  std::string_view name;
  TopicSettingForm form;
  std::string_view default_value;
  int64_t least, most;            ///< of numbers
  std::string_view choices;       ///< of words: "a|b"; "": any
  TopicSettingEffect effect;
  std::string_view broker_name;   ///< Kafka's name for the default of all topics; "": none
  std::string_view help;          ///< one or two sentences
};

/// All of them, by name: those of Kafka 4.1.
std::span<const TopicSetting> all_topic_settings();
const TopicSetting* find_topic_setting(std::string_view name);  ///< nullptr: none

/// The value as it is kept: without blanks around it, numbers and flags in their plainest form.
/// kInvalidArgument, with a sentence that names the setting and what it takes.
Result<std::string> parse_topic_setting(std::string_view name, std::string_view value);
/// All of a topic's together: each one, and those that must fit each other.
Result<TopicSettings> parse_topic_settings(const TopicSettings& settings);

// What is set, or else the default. `name` stands in the table; the value was parsed.
std::string_view topic_setting(const TopicSettings& settings, std::string_view name);
int64_t topic_setting_number(const TopicSettings& settings, std::string_view name);
/// Whether `word` is in the list.
bool topic_setting_has(const TopicSettings& settings, std::string_view name, std::string_view word);

}  // namespace topicfs
