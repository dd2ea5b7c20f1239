// Topic settings in the engine: what is kept, and what the append path makes of it.
#include "record/validate.h"
#include "support/batches.h"
#include "unit/engine/engine_fixture.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

struct Topic : EngineFixture {
  explicit Topic(const TopicSettings& settings) {
    start();
    NewTopic topic{"t", 1, {}, {}, settings};
    engine->create_topic(topic, [](Result<TopicPtr> r) { REQUIRE_MESSAGE(r, (r ? "" : r.error().message())); });
    settle();
  }
  TopicSettings settings() { return engine->find_topic("t")->settings; }
  Result<void> change(std::map<std::string, std::optional<std::string>> changes) {
    Result<void> outcome = fail(Errc::kTimedOut, "not answered");
    engine->change_settings(engine->find_topic("t")->id, std::move(changes), [&](Result<TopicPtr> r) {
      if (r) outcome = {};
      else outcome = tl::unexpected(r.error());
    });
    settle();
    return outcome;
  }
  /// Why Kafka's batch of one record is refused; nullopt: it is not.
  std::optional<BatchFault> produce(int64_t timestamp, std::optional<std::string> key = "k") {
    BatchHeader header;
    header.base_timestamp = timestamp;
    std::string batch = encode_batch(header, {{"value", std::move(key)}});
    std::optional<BatchFault> fault;
    engine->append_batch(partition("t"), as_byte_span(batch), {}, [&](Result<Appended> r) {
      if (!r) fault = fault_of(r.error());
    });
    settle();
    return fault;
  }
  int64_t now() { return executor->wall_now().count(); }
};

}  // namespace

TEST_CASE("settings are kept in their plainest form, at a topic's birth and later") {
  Topic t(TopicSettings{{"retention.ms", " 5000 "}});
  CHECK(t.settings() == TopicSettings{{"retention.ms", "5000"}});
  CHECK(t.change({{"cleanup.policy", "compact , delete"}, {"retention.ms", std::nullopt}}));
  CHECK(t.settings() == TopicSettings{{"cleanup.policy", "compact,delete"}});
}

TEST_CASE("a change that is refused changes nothing, and says which setting") {
  Topic t(TopicSettings{{"retention.ms", "5000"}});
  auto bad = t.change({{"retention.ms", "7"}, {"segment.bytes", "1"}});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == Errc::kInvalidArgument);
  CHECK(bad.error().what.find("segment.bytes") != std::string::npos);
  CHECK_FALSE(t.change({{"no.such", "7"}}));
  CHECK(t.change({{"no.such", std::nullopt}}));  // what is not there can be taken away, as in Kafka
  CHECK(t.settings() == TopicSettings{{"retention.ms", "5000"}});
}

TEST_CASE("timestamps that lie too far from now are refused, and a change of the limits holds at once") {
  Topic t(TopicSettings{});
  constexpr int64_t kHour = 3'600'000;
  CHECK_FALSE(t.produce(0));
  CHECK_FALSE(t.produce(t.now() + kHour));
  CHECK(t.produce(t.now() + kHour + 1000) == BatchFault::invalid_timestamp);
  REQUIRE(t.change({{"message.timestamp.before.max.ms", "1000"}, {"message.timestamp.after.max.ms", "9223372036854775807"}}));
  CHECK_FALSE(t.produce(t.now() + 100 * kHour));
  CHECK_FALSE(t.produce(t.now() - 900));
  CHECK(t.produce(t.now() - 2000) == BatchFault::invalid_timestamp);
}

TEST_CASE("records that get the time of their append may say anything") {
  Topic t(TopicSettings{{"message.timestamp.type", "LogAppendTime"}});
  CHECK_FALSE(t.produce(t.now() * 2));
}

TEST_CASE("a compacted topic takes no record without a key from Kafka") {
  Topic t(TopicSettings{{"cleanup.policy", "compact"}});
  CHECK_FALSE(t.produce(t.now()));
  CHECK(t.produce(t.now(), std::nullopt) == BatchFault::invalid_record);
  REQUIRE(t.change({{"cleanup.policy", std::nullopt}}));
  CHECK_FALSE(t.produce(t.now(), std::nullopt));
}

TEST_CASE("a topic's compression.type is what Kafka's batches are stored with, and the file's text is the same") {
  Topic t(TopicSettings{});
  std::string text;
  auto stored_codec = [&](std::optional<std::string> type) {
    REQUIRE(t.change({{"compression.type", std::move(type)}}));
    Offset from = t.engine->ends(t.partition("t"))->durable_end;
    REQUIRE_FALSE(t.produce(t.now()));
    text += "value\n";
    int codec = -1;
    t.engine->fetch(t.partition("t"), from, 1 << 20, [&](Result<Fetched> r) {
      REQUIRE(r);
      auto header = BatchHeader::parse(r->batches.pieces);
      REQUIRE(header);
      CHECK(has_valid_crc(*header, r->batches.pieces));
      codec = header->raw_codec();
    });
    t.settle();
    return codec;
  };
  CHECK(stored_codec(std::nullopt) == 0);
  CHECK(stored_codec("gzip") == 1);
  CHECK(stored_codec("snappy") == 2);
  CHECK(stored_codec("lz4") == 3);
  CHECK(stored_codec("zstd") == 4);
  CHECK(stored_codec("uncompressed") == 0);
  CHECK(t.read(t.partition("t")) == text);
}
