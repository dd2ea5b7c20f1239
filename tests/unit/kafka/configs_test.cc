// DescribeConfigs, AlterConfigs and IncrementalAlterConfigs.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/topic_settings.h"
#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

constexpr int8_t kTopic = 2, kBroker = 4;
constexpr int8_t kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3;

struct Kit : HandlerKit {
  explicit Kit(GatewaySettings options = {}) : HandlerKit(std::move(options)) { make_topic("t"); }

  DescribeConfigsResponse::Result describe(int8_t type, std::string name, std::vector<std::string> keys = {},
                                           bool more = false) {
    DescribeConfigsRequest r;
    r.resources.push_back({type, std::move(name), std::move(keys)});
    r.include_synonyms = r.include_documentation = more;
    return answer<DescribeConfigsResponse>(std::move(r), 4).results.at(0);
  }
  int16_t alter(std::vector<AlterConfigsRequest::Setting> settings, bool validate_only = false, std::string name = "t",
                int8_t type = kTopic) {
    AlterConfigsRequest r;
    r.resources.push_back({type, std::move(name), std::move(settings)});
    r.validate_only = validate_only;
    return answer<AlterConfigsResponse>(std::move(r), 2).resources.at(0).error_code;
  }
  int16_t change(std::vector<IncrementalAlterConfigsRequest::Setting> settings, bool validate_only = false) {
    IncrementalAlterConfigsRequest r;
    r.resources.push_back({kTopic, "t", std::move(settings)});
    r.validate_only = validate_only;
    return answer<IncrementalAlterConfigsResponse>(std::move(r), 1).resources.at(0).error_code;
  }
  TopicSettings set() { return engine.find_topic("t")->settings; }
};

}  // namespace

TEST_CASE("DescribeConfigs shows a topic's values, their types, and what would count without them") {
  Kit kit;
  REQUIRE(kit.change({{"retention.bytes", kSet, "5"}}) == 0);
  auto all = kit.describe(kTopic, "t");
  CHECK(all.settings.size() == all_topic_settings().size());
  CHECK(all.settings[0].synonyms.empty());
  CHECK_FALSE(all.settings[0].documentation);
  auto some = kit.describe(kTopic, "t", {"retention.bytes", "no.such", "cleanup.policy"}, true);
  REQUIRE(some.settings.size() == 2);
  CHECK(some.settings[0].name == "cleanup.policy");
  CHECK(some.settings[0].source == 5);
  CHECK(some.settings[0].type == 7);
  CHECK(some.settings[0].synonyms.size() == 1);
  const auto& bytes = some.settings[1];
  CHECK(bytes.value == "5");
  CHECK(bytes.source == 1);
  CHECK(bytes.type == 5);
  REQUIRE(bytes.synonyms.size() == 2);
  CHECK(bytes.synonyms[0].value == "5");
  CHECK(bytes.synonyms[1].name == "log.retention.bytes");
  CHECK(bytes.synonyms[1].value == "-1");
  CHECK_FALSE(bytes.documentation->empty());
}

TEST_CASE("DescribeConfigs shows what the broker was started with, read-only") {
  GatewaySettings options;
  options.default_partitions = 7;
  Kit kit(options);
  auto broker = kit.describe(kBroker, "0", {"num.partitions", "log.cleanup.policy"});
  REQUIRE(broker.settings.size() == 2);
  CHECK(broker.settings[0].value == "7");
  CHECK(std::all_of(broker.settings.begin(), broker.settings.end(), [](auto& s) { return s.read_only; }));
  CHECK(kit.describe(kBroker, "").settings.empty());
}

TEST_CASE("DescribeConfigs refuses what has no settings, each with its code") {
  Kit kit;
  CHECK(kit.describe(kTopic, "nosuch").error_code == 3);
  CHECK(kit.describe(kTopic, "a b").error_code == 17);
  CHECK(kit.describe(kTopic, "").error_code == 17);
  CHECK(kit.describe(kBroker, "1").error_code == 42);
  CHECK(kit.describe(kBroker, "00").error_code == 42);
  for (int type : {0, 8, 16, 32, 99}) CHECK(kit.describe(static_cast<int8_t>(type), "t").error_code == 42);
}

TEST_CASE("DescribeConfigs describes at most 10000 resources at a time") {
  Kit kit;
  DescribeConfigsRequest many;
  for (int i = 0; i <= 10'000; i++) many.resources.push_back({kTopic, "t", {}});
  auto results = kit.answer<DescribeConfigsResponse>(std::move(many), 4).results;
  CHECK(results.size() == 10'001);
  CHECK(results[0].error_code == 42);
  CHECK(results[0].settings.empty());
}

TEST_CASE("AlterConfigs replaces all settings of a topic") {
  Kit kit;
  CHECK(kit.alter({{"retention.ms", "5"}, {"cleanup.policy", "compact"}}) == 0);
  CHECK(kit.alter({{"max.message.bytes", "3000"}}) == 0);
  CHECK(kit.set() == TopicSettings{{"max.message.bytes", "3000"}});
  CHECK(kit.alter({}) == 0);
  CHECK(kit.set().empty());
}

TEST_CASE("IncrementalAlterConfigs sets, resets, adds and takes away, and leaves the rest") {
  Kit kit;
  CHECK(kit.change({{"retention.ms", kSet, " 5 "}, {"cleanup.policy", kSet, "compact"}}) == 0);
  CHECK(kit.change({{"cleanup.policy", kAppend, "delete,compact"}}) == 0);
  CHECK(kit.set() == TopicSettings{{"retention.ms", "5"}, {"cleanup.policy", "compact,delete"}});
  CHECK(kit.change({{"cleanup.policy", kSubtract, "compact"}, {"retention.ms", kDelete, "99"}}) == 0);
  CHECK(kit.set() == TopicSettings{{"cleanup.policy", "delete"}});
  CHECK(kit.change({{"cleanup.policy", kDelete, std::nullopt}, {"no.such", kDelete, std::nullopt}}) == 0);
  CHECK(kit.change({{"cleanup.policy", kAppend, "compact"}}) == 0);  // to the default
  CHECK(kit.set() == TopicSettings{{"cleanup.policy", "delete,compact"}});
}

TEST_CASE("a change with anything wrong in it changes nothing") {
  Kit kit;
  REQUIRE(kit.change({{"retention.ms", kSet, "5"}}) == 0);
  const TopicSettings before = kit.set();
  CHECK(kit.change({{"segment.ms", kSet, "9"}, {"cleanup.policy", kSet, "nothing"}}) == 40);
  CHECK(kit.change({{"no.such", kSet, "1"}}) == 40);
  CHECK(kit.change({{"no.such", kAppend, "1"}}) == 40);
  CHECK(kit.change({{"retention.ms", kAppend, "1"}}) == 40);
  CHECK(kit.change({{"cleanup.policy", kAppend, "nothing"}}) == 40);
  CHECK(kit.change({{"retention.ms", kSet, std::nullopt}}) == 42);
  CHECK(kit.change({{"retention.ms", kSet, "1"}, {"retention.ms", kSet, "2"}}) == 42);
  CHECK(kit.change({{"retention.ms", 4, "1"}}) == 42);
  CHECK(kit.change({{"retention.ms", -1, "1"}}) == 42);
  CHECK(kit.alter({{"retention.ms", std::nullopt}}) == 42);
  CHECK(kit.alter({{"retention.ms", "1"}, {"retention.ms", "2"}}) == 42);
  CHECK(kit.alter({{"retention.ms", "soon"}}) == 40);
  CHECK(kit.alter({{"retention.ms", "1"}}, false, "nosuch") == 3);
  CHECK(kit.alter({{"retention.ms", "1"}}, false, "") == 42);
  CHECK(kit.alter({{"num.partitions", "2"}}, false, "0", kBroker) == 42);
  CHECK(kit.alter({{"retention.ms", "1"}}, false, "t", 16) == 42);
  CHECK(kit.set() == before);
}

TEST_CASE("validate_only says what the change would say, and makes none") {
  Kit kit;
  CHECK(kit.change({{"retention.ms", kSet, "5"}}, true) == 0);
  CHECK(kit.change({{"retention.ms", kSet, "x"}}, true) == 40);
  CHECK(kit.change({{"min.compaction.lag.ms", kSet, "5"}, {"max.compaction.lag.ms", kSet, "4"}}, true) == 40);
  CHECK(kit.alter({{"retention.ms", "5"}}, true) == 0);
  CHECK(kit.alter({{"no.such", "5"}}, true) == 40);
  CHECK(kit.set().empty());
}

TEST_CASE("a resource that is named twice is refused twice") {
  Kit kit;
  AlterConfigsRequest r;
  for (int i = 0; i < 2; i++) r.resources.push_back({kTopic, "t", {{"retention.ms", "5"}}});
  auto answered = kit.answer<AlterConfigsResponse>(std::move(r), 2).resources;
  REQUIRE(answered.size() == 2);
  CHECK(answered[0].error_code == 42);
  CHECK(answered[1].error_code == 42);
  CHECK(kit.set().empty());
}

TEST_CASE("a change is answered when it is durable, not before") {
  Kit kit;
  AlterConfigsRequest r;
  r.resources.push_back({kTopic, "t", {{"retention.ms", "5"}}});
  auto call = kit.start<AlterConfigsResponse>(std::move(r), 2);
  CHECK_FALSE(call->is_finished);
  kit.executor.run_until_idle();
  CHECK(call->is_finished);
}
