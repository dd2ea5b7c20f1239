// Topic settings: what is accepted, in which form it is kept, and that topicfs-topics(5) says the same.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "base/topic_settings.h"

using namespace topicfs;

namespace {

bool takes(std::string_view name, std::string_view value) { return parse_topic_setting(name, value).has_value(); }

/// What stands in the manual page under ".It Va name = default", by name; the default under "=".
struct Paragraph {
  std::string default_value, text;
};
std::map<std::string, Paragraph> paragraphs() {
  std::ifstream file(MANUAL_DIR "/topicfs-topics.5");
  REQUIRE(file);
  const std::string item = ".It Va ";
  std::map<std::string, Paragraph> all;
  Paragraph* current = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(item)) {
      size_t end = line.find(' ', item.size());
      current = &all[line.substr(item.size(), end - item.size())];
      const std::string mark = " No = Cm ";
      if (size_t at = line.find(mark); at != std::string::npos) current->default_value = line.substr(at + mark.size());
    } else if (line.starts_with(".El")) {
      current = nullptr;
    } else if (current) {
      current->text += line + " ";
    }
  }
  return all;
}

}  // namespace

TEST_CASE("the table is sorted by name, and every default is a value that it accepts") {
  auto all = all_topic_settings();
  CHECK(std::is_sorted(all.begin(), all.end(), [](auto& a, auto& b) { return a.name < b.name; }));
  for (const TopicSetting& s : all) {
    CAPTURE(s.name);
    auto parsed = parse_topic_setting(s.name, s.default_value);
    REQUIRE(parsed);
    CHECK(*parsed == s.default_value);
  }
}

TEST_CASE("topicfs-topics(5) describes every setting with its default and in the table's words, and no other") {
  auto described = paragraphs();
  for (const TopicSetting& s : all_topic_settings()) {
    std::string name(s.name);
    CAPTURE(name);
    REQUIRE(described.count(name) == 1);
    CHECK(described[name].default_value == s.default_value);
    CHECK(described[name].text == std::string(s.help) + " ");
    described.erase(name);
  }
  for (auto& [name, text] : described) FAIL_CHECK("topicfs-topics(5) describes " << name << ", which is no setting");
}

TEST_CASE("numbers keep to their range") {
  CHECK(takes("retention.ms", "-1"));
  CHECK_FALSE(takes("retention.ms", "-2"));
  CHECK_FALSE(takes("retention.ms", "soon"));
  CHECK_FALSE(takes("retention.ms", ""));
  CHECK_FALSE(takes("retention.ms", "9223372036854775808"));
  CHECK_FALSE(takes("retention.ms", "++5"));
  CHECK(takes("retention.bytes", "-9223372036854775808"));
  CHECK(takes("max.message.bytes", "16777216"));
  CHECK_FALSE(takes("max.message.bytes", "16777217"));
  CHECK_FALSE(takes("segment.bytes", "1"));
  CHECK(takes("min.cleanable.dirty.ratio", "0.25"));
  CHECK_FALSE(takes("min.cleanable.dirty.ratio", "nan"));
  CHECK_FALSE(takes("min.cleanable.dirty.ratio", "1.01"));
}

TEST_CASE("words are those of the table") {
  CHECK(takes("cleanup.policy", "compact,delete"));
  CHECK(takes("cleanup.policy", ""));  // as in Kafka: nothing is removed
  CHECK_FALSE(takes("cleanup.policy", "nothing"));
  CHECK_FALSE(takes("cleanup.policy", "delete,"));
  CHECK_FALSE(takes("cleanup.policy", ",delete"));
  CHECK(takes("compression.type", "zstd"));
  CHECK_FALSE(takes("compression.type", ""));
  CHECK_FALSE(takes("message.timestamp.type", "createtime"));
  CHECK(takes("leader.replication.throttled.replicas", "0:1,1:2"));
}

TEST_CASE("values are kept without blanks, and numbers and flags in their plainest form") {
  CHECK(*parse_topic_setting("retention.ms", " +005000\n") == "5000");
  CHECK(*parse_topic_setting("cleanup.policy", "compact , delete") == "compact,delete");
  CHECK(*parse_topic_setting("preallocate", "TRUE") == "true");
}

TEST_CASE("what cannot be had is refused with the reason, what is unknown with a place to look") {
  CHECK(takes("remote.storage.enable", "false"));
  auto remote = parse_topic_setting("remote.storage.enable", "true");
  REQUIRE_FALSE(remote);
  CHECK(remote.error().what.find("--store") != std::string::npos);
  for (auto name : {"no.such", "", "Retention.ms"}) {
    auto unknown = parse_topic_setting(name, "1");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == Errc::kInvalidArgument);
    CHECK(unknown.error().what.find("topicfs-topics(5)") != std::string::npos);
  }
}

TEST_CASE("settings that must fit each other are checked together") {
  CHECK(parse_topic_settings({{"min.compaction.lag.ms", "5"}, {"max.compaction.lag.ms", "5"}}));
  CHECK_FALSE(parse_topic_settings({{"min.compaction.lag.ms", "6"}, {"max.compaction.lag.ms", "5"}}));
}

TEST_CASE("what is not set has its default") {
  TopicSettings set{{"retention.ms", "7"}, {"cleanup.policy", "compact,delete"}};
  CHECK(topic_setting_number(set, "retention.ms") == 7);
  CHECK(topic_setting_number({}, "retention.ms") == -1);
  CHECK(topic_setting(set, "message.timestamp.type") == "CreateTime");
  CHECK(topic_setting_has(set, "cleanup.policy", "delete"));
  CHECK_FALSE(topic_setting_has({}, "cleanup.policy", "compact"));
  CHECK_FALSE(topic_setting_has({{"cleanup.policy", ""}}, "cleanup.policy", "delete"));
}
