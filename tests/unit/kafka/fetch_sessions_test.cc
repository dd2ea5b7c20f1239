// Fetch sessions: who is answered with what, in which order, and what they may take.
#include <doctest/doctest.h>

#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;
using std::chrono::minutes;

namespace {

using Want = std::vector<std::pair<std::string_view, int64_t>>;  // topic, offset

struct Client {
  explicit Client(HandlerKit& the_kit, int16_t the_version = 11) : kit(the_kit), version(the_version) {}

  FetchRequest request(int32_t epoch, const Want& wanted) {
    FetchRequest r;
    r.session_id = id, r.session_epoch = epoch;
    for (auto [topic, offset] : wanted) {
      auto& t = r.topics.emplace_back();
      if (version >= 13) t.topic_id = kit.engine.find_topic(topic)->id;
      else t.name = topic;
      t.partitions.push_back({0, -1, offset, -1, -1, 1 << 20});
    }
    return r;
  }
  FetchResponse send(FetchRequest r) {
    FetchResponse response = kit.answer<FetchResponse>(std::move(r), version);
    if (response.session_id != 0) id = response.session_id;
    return response;
  }
  FetchResponse fetch(int32_t epoch, const Want& wanted = {}) { return send(request(epoch, wanted)); }

  HandlerKit& kit;
  const int16_t version;
  int32_t id = 0;
};

std::vector<std::string> topics_of(const FetchResponse& response) {
  std::vector<std::string> names;
  for (auto& t : response.topics) names.emplace_back(t.name);
  return names;
}
using Names = std::vector<std::string>;

struct TwoTopics : HandlerKit {
  explicit TwoTopics(size_t max_sessions = 1000) : HandlerKit(with(max_sessions)) {
    make_topic("a");
    make_topic("b");
  }
  static GatewaySettings with(size_t max_sessions) {
    GatewaySettings s;
    s.max_fetch_sessions = max_sessions;
    return s;
  }
  void produce(std::string_view topic) {
    append(topic, {"0123456789"});
    executor.run_until_idle();
  }
};

}  // namespace

TEST_CASE("a session answers first with everything, then with what has news") {
  TwoTopics kit;
  Client client(kit);
  CHECK(topics_of(client.fetch(0, {{"a", 0}, {"b", 0}})) == Names{"a", "b"});
  CHECK(client.id > 0);
  CHECK(client.fetch(1).topics.empty());
  kit.produce("b");
  FetchResponse news = client.fetch(2);
  CHECK(topics_of(news) == Names{"b"});
  CHECK(news.session_id == client.id);
  CHECK(news.topics[0].partitions[0].records->size > 0);
  CHECK(topics_of(client.fetch(3, {{"b", 1}})).empty());
}

TEST_CASE("a partition with an error is news every time, and once more when the error has gone") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 5}, {"b", 0}});
  CHECK(topics_of(client.fetch(1)) == Names{"a"});
  CHECK(client.fetch(2).topics[0].partitions[0].error_code == 1);
  CHECK(topics_of(client.fetch(3, {{"a", 0}})) == Names{"a"});
  CHECK(client.fetch(4).topics.empty());
}

TEST_CASE("partitions are added, moved and forgotten") {
  TwoTopics kit;
  kit.produce("a");
  kit.produce("b");
  for (int16_t version : {int16_t{7}, int16_t{12}, int16_t{16}}) {
    CAPTURE(version);
    Client client(kit, version);
    client.fetch(0, {{"a", 1}});
    CHECK(client.fetch(1, {{"b", 0}}).topics.size() == 1);
    FetchRequest forget = client.request(2, {{"a", 0}});
    auto& gone = forget.forgotten_topics.emplace_back();
    if (version >= 13) gone.topic_id = kit.engine.find_topic("b")->id;
    else gone.name = "b";
    gone.partitions = {0, 7};
    FetchResponse rest = client.send(std::move(forget));
    REQUIRE(rest.topics.size() == 1);
    CHECK(rest.topics[0].topic_id == (version >= 13 ? kit.engine.find_topic("a")->id : Uuid{}));
    CHECK(rest.topics[0].partitions[0].records->size > 0);
  }
}

TEST_CASE("a session in which nothing is left ends") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 0}});
  FetchRequest forget = client.request(1, {});
  forget.forgotten_topics.push_back({"a", {}, {0}});
  FetchResponse last = client.send(std::move(forget));
  CHECK(last.error_code == 0);
  CHECK(last.session_id == 0);
  CHECK(kit.gateway.sessions.sessions() == 0);
  CHECK(kit.gateway.sessions.partitions() == 0);
}

TEST_CASE("another epoch, another session, or names in place of ids are refused") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 0}});
  CHECK(client.fetch(5).error_code == 71);
  CHECK(client.fetch(1).error_code == 0);
  CHECK(client.fetch(1).error_code == 71);
  Client by_id(kit, 13);
  by_id.id = client.id;
  CHECK(by_id.fetch(2).error_code == 106);
  Client unknown(kit);
  unknown.id = client.id + 1;
  FetchResponse none = unknown.fetch(1, {{"a", 0}});
  CHECK(none.error_code == 70);
  CHECK(none.topics.empty());
}

TEST_CASE("a full request with a session's id replaces it, and epoch -1 ends it") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 0}});
  const int32_t first = client.id;
  CHECK(client.fetch(0, {{"a", 0}}).session_id != first);
  CHECK(kit.gateway.sessions.sessions() == 1);
  FetchResponse last = client.fetch(-1, {{"a", 0}});
  CHECK(last.session_id == 0);
  CHECK(last.topics.size() == 1);
  CHECK(kit.gateway.sessions.sessions() == 0);
}

TEST_CASE("the epoch after the last one is 1") {
  TwoTopics kit;
  FetchSession session(7, false);
  FetchRequest r;
  r.topics.push_back({"a", {}, {{0, -1, 0, -1, -1, 1}}});
  session.begin(r, {});
  r.session_epoch = 1;
  CHECK(session.advance(r, 10) == ErrorCode::kNone);
  r.session_epoch = 2;
  CHECK(session.advance(r, 10) == ErrorCode::kNone);
  r.session_epoch = 1;
  CHECK(session.advance(r, 10) == ErrorCode::kInvalidFetchSessionEpoch);
}

TEST_CASE("who got something goes behind the others, so that a small limit starves no partition") {
  TwoTopics kit;
  kit.make_topic("c");
  for (auto topic : {"a", "b", "c"}) kit.produce(topic);
  Client client(kit);
  FetchRequest full = client.request(0, {{"a", 0}, {"b", 0}, {"c", 0}});
  full.max_bytes = 1;
  auto served = [](const FetchResponse& response) {
    Names names;
    for (auto& t : response.topics)
      if (t.partitions[0].records->size > 0) names.emplace_back(t.name);
    return names;
  };
  CHECK(served(client.send(std::move(full))) == Names{"a"});
  Names order;
  for (int32_t epoch = 1; epoch <= 5; epoch++) {
    FetchRequest next = client.request(epoch, {});
    next.max_bytes = 1;
    for (auto& name : served(client.send(std::move(next)))) order.push_back(name);
  }
  CHECK(order == Names{"b", "c", "a", "b", "c"});
}

TEST_CASE("an incremental fetch waits on all partitions of its session") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 0}, {"b", 0}});
  FetchRequest waiting = client.request(1, {});
  waiting.min_bytes = 1, waiting.max_wait_ms = 1'000'000;
  auto call = kit.start<FetchResponse>(std::move(waiting), client.version);
  kit.executor.run_until_idle();
  CHECK_FALSE(call->is_finished);
  kit.produce("b");
  REQUIRE(call->is_finished);
  CHECK(topics_of(call->response) == Names{"b"});
}

TEST_CASE("an answer that another request of the session has overtaken is refused") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 0}});
  FetchRequest waiting = client.request(1, {});
  waiting.min_bytes = 1, waiting.max_wait_ms = 1'000'000;
  auto call = kit.start<FetchResponse>(std::move(waiting), client.version);
  kit.executor.run_until_idle();
  CHECK(client.fetch(2).error_code == 0);
  kit.produce("a");
  REQUIRE(call->is_finished);
  CHECK(call->response.error_code == 71);
  CHECK(call->response.topics.empty());
}

TEST_CASE("beyond the most sessions a client gets none, until one has been idle") {
  TwoTopics kit(2);
  Client first(kit), second(kit), third(kit);
  first.fetch(0, {{"a", 0}});
  second.fetch(0, {{"a", 0}});
  FetchResponse without = third.fetch(0, {{"a", 0}});
  CHECK(without.session_id == 0);
  CHECK(without.topics.size() == 1);
  kit.executor.advance(minutes(1));
  first.fetch(1);
  kit.executor.advance(minutes(1));
  CHECK(third.fetch(0, {{"a", 0}}).session_id != 0);
  CHECK(second.fetch(1).error_code == 70);
  CHECK(first.fetch(2).error_code == 0);
  TwoTopics never(0);
  CHECK(Client(never).fetch(0, {{"a", 0}}).session_id == 0);
}

TEST_CASE("a session that grows beyond what all may hold ends, and its memory is free") {
  TwoTopics kit;
  Client client(kit);
  client.fetch(0, {{"a", 0}});
  FetchRequest grow = client.request(1, {{"a", 0}});
  for (int32_t p = 1; p <= static_cast<int32_t>(FetchSessions::kMaxPartitions); p++)
    grow.topics[0].partitions.push_back({p, -1, 0, -1, -1, 1});
  CHECK(client.send(std::move(grow)).error_code == 70);
  CHECK(kit.gateway.sessions.partitions() == 0);
  CHECK(kit.gateway.sessions.sessions() == 0);
}
