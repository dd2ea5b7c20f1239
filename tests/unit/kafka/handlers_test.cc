// The other handlers, over an engine in memory.
#include <doctest/doctest.h>

#include "kafka/handlers/error_map.h"
#include "kafka/handlers/topic_settings.h"
#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

MetadataRequest about(std::vector<std::string> names, bool create) {
  MetadataRequest r;
  for (auto& name : names) r.topics->push_back({Uuid{}, name});
  r.allow_auto_topic_creation = create;
  return r;
}

ProduceRequest produce(std::string_view topic, int32_t partition, ByteSpan records, int16_t acks = -1) {
  ProduceRequest r;
  r.acks = acks;
  r.topics.push_back({topic, {{partition, records}}});
  return r;
}

int16_t error_of(const ProduceResponse& r) { return r.topics.at(0).partitions.at(0).error_code; }

}  // namespace

TEST_CASE("Metadata creates a topic when the client, the options and the name allow it") {
  GatewaySettings three;
  three.default_partitions = 3;
  HandlerKit kit(three);
  auto first = [&](std::string name, bool create) {
    return kit.answer<MetadataResponse>(about({std::move(name)}, create), 9).topics.at(0);
  };
  CHECK(first("a.b", false).error_code == 3);
  auto made = first("a.b", true);
  CHECK(made.error_code == 0);
  CHECK(made.partitions.size() == 3);
  CHECK(made.topic_id == kit.engine.find_topic("a.b")->id);
  CHECK(first("a_b", true).error_code == 3);  // collides
  CHECK(first("a b", true).error_code == 17);
  CHECK(kit.engine.list_topics().size() == 1);
  GatewaySettings no_creation;
  no_creation.auto_create_topics = false;
  HandlerKit strict(no_creation);
  CHECK(strict.answer<MetadataResponse>(about({"x"}, true), 9).topics.at(0).error_code == 3);
}

TEST_CASE("topics that clients make belong to who runs the gateway") {
  GatewaySettings user;
  user.uid = 1000, user.gid = 100;
  HandlerKit kit(user);
  CreateTopicsRequest create;
  create.topics.push_back({"made", 1, 1, {}, {}});
  kit.answer<CreateTopicsResponse>(std::move(create), 7);
  kit.answer<MetadataResponse>(about({"named"}, true), 9);
  for (auto name : {"made", "named"}) {
    TopicPtr topic = kit.engine.find_topic(name);
    REQUIRE(topic);
    CHECK(topic->ownership == Ownership{1000, 100, 0755});
    CHECK(topic->partitions.at(0).ownership == Ownership{1000, 100, 0644});
  }
}

TEST_CASE("Metadata of version 0 takes an empty list for all topics, later ones for none") {
  HandlerKit kit;
  kit.make_topic("t");
  CHECK(kit.answer<MetadataResponse>(about({}, false), 0).topics.size() == 1);
  CHECK(kit.answer<MetadataResponse>(about({}, false), 1).topics.empty());
  MetadataRequest all;
  all.topics.reset();
  CHECK(kit.answer<MetadataResponse>(all, 1).topics.size() == 1);
}

TEST_CASE("Metadata answers a topic once, however often it is named or its id given") {
  HandlerKit kit;
  kit.make_topic("t");
  CHECK(kit.answer<MetadataResponse>(about({"t", "t"}, false), 9).topics.size() == 1);
  MetadataRequest ids;
  for (int i = 0; i < 3; i++) ids.topics->push_back({kit.engine.find_topic("t")->id, std::nullopt});
  CHECK(kit.answer<MetadataResponse>(ids, 12).topics.size() == 1);
}

TEST_CASE("CreateTopics makes at most 10000 topics at a time") {
  HandlerKit kit;
  CreateTopicsRequest many;
  for (int i = 0; i <= 10'000; i++) many.topics.push_back({"t" + std::to_string(i), 1, 1, {}, {}});
  auto answers = kit.answer<CreateTopicsResponse>(std::move(many), 7).topics;
  CHECK(answers.size() == 10'001);
  CHECK(answers[0].error_code == 44);
  CHECK(kit.engine.list_topics().empty());
}

TEST_CASE("the broker is advertised as set, or as the client reached it") {
  GatewaySettings elsewhere;
  elsewhere.advertised_host = "kafka.example", elsewhere.advertised_port = 29092;
  HandlerKit plain, set(elsewhere);
  auto broker = [](HandlerKit& kit) { return kit.answer<MetadataResponse>(about({}, false), 5).brokers.at(0); };
  CHECK(broker(plain).host == "10.0.0.1");
  CHECK(broker(plain).port == 9092);
  CHECK(broker(set).host == "kafka.example");
  CHECK(broker(set).port == 29092);
}

TEST_CASE("the cluster id is the store's id in 22 characters of base64url") {
  CHECK(to_base64url(Uuid{}) == "AAAAAAAAAAAAAAAAAAAAAA");
  CHECK(to_base64url(Uuid{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}) ==
        "_____________________w");
  CHECK(to_base64url(Uuid{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}) == "AQIDBAUGBwgJCgsMDQ4PEA");
}

TEST_CASE("Produce answers when its batch is durable, with the base offset") {
  HandlerKit kit;
  kit.make_topic("t");
  auto batch = HandlerKit::batch({"a", "b"});
  auto call = kit.start<ProduceResponse>(produce("t", 0, batch), 8);
  CHECK_FALSE(call->is_finished);
  kit.executor.run_until_idle();
  REQUIRE(call->is_finished);
  CHECK(error_of(call->response) == 0);
  CHECK(call->response.topics[0].partitions[0].base_offset == 0);
  CHECK(kit.answer<ProduceResponse>(produce("t", 0, batch, 1), 8).topics[0].partitions[0].base_offset == 2);
}

TEST_CASE("Produce asks a client to pause for as long as its appends waited for room, at most a second") {
  HandlerKit kit;
  kit.make_topic("t");
  auto batch = HandlerKit::batch({"a"});
  auto throttle_after = [&](std::chrono::milliseconds wait) {
    kit.engine.set_full(true);
    auto call = kit.start<ProduceResponse>(produce("t", 0, batch), 8);
    kit.executor.advance(wait);
    CHECK_FALSE(call->is_finished);
    kit.engine.set_full(false);
    kit.executor.run_until_idle();
    REQUIRE(call->is_finished);
    CHECK(error_of(call->response) == 0);
    return call->throttle.load().count();
  };
  CHECK(throttle_after(std::chrono::milliseconds(50)) == 0);  // a disk's pace
  CHECK(throttle_after(std::chrono::milliseconds(300)) == 300);
  CHECK(throttle_after(std::chrono::milliseconds(4000)) == 1000);
  for (Errc code : {Errc::kTimedOut, Errc::kFull}) {
    kit.engine.fail_next_append({code, 0, "no room"});
    auto call = kit.start<ProduceResponse>(produce("t", 0, batch), 8);
    kit.executor.run_until_idle();
    CHECK(error_of(call->response) == code_of(ErrorCode::kRequestTimedOut));
    CHECK(call->throttle.load().count() == 1000);
  }
}

TEST_CASE("Produce refuses what is not one batch for a partition that exists") {
  HandlerKit kit;
  kit.make_topic("t");
  auto batch = HandlerKit::batch({"a"});
  auto error = [&](ProduceRequest r, int16_t version = 8) { return error_of(kit.answer<ProduceResponse>(std::move(r), version)); };
  CHECK(error(produce("nosuch", 0, batch)) == 3);
  CHECK(error(produce("t", 1, batch)) == 3);
  CHECK(error(produce("t", -1, batch)) == 3);
  CHECK(error(produce("t", 0, batch, 2)) == 21);
  CHECK(error(produce("t", 0, {})) == 87);
  CHECK(error(produce("t", 0, as_byte_span("short"))) == 87);
  batch[16] = std::byte{1};
  CHECK(error(produce("t", 0, batch)) == 87);
  batch[16] = std::byte{9};
  CHECK(error(produce("t", 0, batch)) == 2);
  batch[16] = std::byte{2};
  batch[22] = std::byte{4};
  CHECK(error(produce("t", 0, batch), 6) == 76);
  batch[22] = std::byte{5};
  CHECK(error(produce("t", 0, batch), 6) == -1);
  batch[22] = std::byte{0x10};
  CHECK(error(produce("t", 0, batch)) == 53);
  ProduceRequest transactional = produce("t", 0, batch);
  transactional.transactional_id = "x";
  CHECK(error(std::move(transactional)) == 35);
}

TEST_CASE("a producer's batch out of order, or of an old epoch, is refused with the code that its client acts on") {
  HandlerKit kit;
  kit.make_topic("t");
  auto batch = HandlerKit::batch({"a"});
  auto error = [&](Errc code) {
    kit.engine.fail_next_append({code, 0, "producer 7"});
    return error_of(kit.answer<ProduceResponse>(produce("t", 0, batch), 8));
  };
  CHECK(error(Errc::kOutOfOrder) == 45);
  CHECK(error(Errc::kStaleEpoch) == 47);
  auto log_start = [&](Errc code) {
    kit.engine.fail_next_append({code, 0, "producer 7"});
    return kit.answer<ProduceResponse>(produce("t", 0, batch), 8).topics.at(0).partitions.at(0).log_start_offset;
  };
  CHECK(log_start(Errc::kOutOfOrder) == 0);
  CHECK(log_start(Errc::kReadOnly) == -1);
}

TEST_CASE("a batch that is cut off, or followed by another, never reaches the log") {
  HandlerKit kit;
  kit.make_topic("t");
  auto batch = HandlerKit::batch({"a"}), two = batch, with_stray_bytes = batch;
  two.insert(two.end(), batch.begin(), batch.end());
  with_stray_bytes.resize(batch.size() + 5);
  auto refused = [&](ByteSpan records) {
    auto answer = kit.answer<ProduceResponse>(produce("t", 0, records), 8).topics.at(0).partitions.at(0);
    CHECK(answer.log_start_offset == (answer.error_code == 0 ? 0 : -1));
    return answer.error_code;
  };
  CHECK(refused(two) == 87);
  CHECK(refused(ByteSpan(batch).first(batch.size() - 1)) == 87);
  CHECK(refused(with_stray_bytes) == 0);
}

TEST_CASE("acks=0 answers nothing, and ends the connection on an error") {
  HandlerKit kit;
  kit.make_topic("t");
  auto batch = HandlerKit::batch({"a"});
  auto good = kit.start<ProduceResponse>(produce("t", 0, batch, 0), 8);
  auto bad = kit.start<ProduceResponse>(produce("t", 5, batch, 0), 8);
  kit.executor.run_until_idle();
  CHECK(good->outcome == Exchange::Outcome::stay_silent);
  CHECK(bad->outcome == Exchange::Outcome::close);
}

TEST_CASE("a partition named twice is answered once, with the last batch") {
  HandlerKit kit;
  kit.make_topic("t");
  auto one = HandlerKit::batch({"x"}), two = HandlerKit::batch({"y", "z"});
  ProduceRequest r = produce("t", 0, one);
  r.topics[0].partitions.push_back({0, ByteSpan(two)});
  CHECK(kit.answer<ProduceResponse>(std::move(r), 8).topics[0].partitions.size() == 1);
  CHECK(kit.engine.ends(kit.engine.find_topic("t")->partitions[0].id)->durable_end == Offset(2));
}

TEST_CASE("DeleteRecords moves the log start, within a batch too, and answers where it is") {
  HandlerKit kit;
  kit.make_topic("a");
  kit.append("a", {"one", "two", "three"});
  auto delete_before = [&](std::string topic, int32_t partition, int64_t offset) {
    DeleteRecordsRequest r;
    r.topics = {{std::move(topic), {{partition, offset}}}};
    return kit.answer<DeleteRecordsResponse>(std::move(r), 2).topics.at(0).partitions.at(0);
  };
  kit.executor.run_until_idle();
  CHECK(delete_before("a", 0, 2).low_watermark == 2);
  CHECK(kit.engine.ends(PartitionId(1))->text_start == TextPosition(8));
  CHECK(delete_before("a", 0, 1).low_watermark == 2);
  auto beyond = delete_before("a", 0, 4);
  CHECK(beyond.error_code == code_of(ErrorCode::kOffsetOutOfRange));
  CHECK(beyond.low_watermark == -1);
  CHECK(delete_before("a", 0, -1).low_watermark == 3);
  CHECK(delete_before("a", 1, 0).error_code == code_of(ErrorCode::kUnknownTopicOrPartition));
  CHECK(delete_before("b", 0, 0).error_code == code_of(ErrorCode::kUnknownTopicOrPartition));
  Uuid id = kit.engine.find_topic("a")->id;
  kit.engine.change_settings(id, {{"cleanup.policy", "compact"}}, [](Result<TopicPtr> r) { CHECK(r); });
  kit.executor.run_until_idle();
  CHECK(delete_before("a", 0, 0).error_code == code_of(ErrorCode::kPolicyViolation));
}

TEST_CASE("ListOffsets finds the ends and times, and knows since when each can be asked") {
  HandlerKit kit;
  kit.make_topic("t");
  kit.append("t", {"a", "b", "c"});
  kit.executor.run_until_idle();
  auto ask = [&](int64_t timestamp, int16_t version) {
    ListOffsetsRequest r;
    r.topics.push_back({"t", {{0, -1, timestamp}}});
    return kit.answer<ListOffsetsResponse>(std::move(r), version).topics.at(0).partitions.at(0);
  };
  CHECK(ask(-1, 5).offset == 3);
  CHECK(ask(-2, 5).offset == 0);
  CHECK(ask(1000, 5).offset == 0);
  CHECK(ask(1001, 5).offset == -1);
  CHECK(ask(-3, 6).error_code == 35);
  CHECK(ask(-3, 7).timestamp == 1000);
  CHECK(ask(-4, 7).error_code == 35);
  CHECK(ask(-5, 9).offset == -1);
  CHECK(ask(-6, 9).error_code == 35);
}

TEST_CASE("CreateTopics refuses bad counts, names, settings and assignments, each with its code") {
  HandlerKit kit;
  auto ask = [&](CreateTopicsRequest::Topic topic) {
    CreateTopicsRequest r;
    r.topics.push_back(std::move(topic));
    return kit.answer<CreateTopicsResponse>(std::move(r), 7).topics.at(0);
  };
  auto made = ask({"t", 2, 3, {}, {{"retention.ms", "1000"}}});
  CHECK(made.error_code == 0);
  CHECK(made.num_partitions == 2);
  CHECK(made.replication_factor == 1);
  CHECK(ask({"t", 2, 1, {}, {}}).error_code == 36);
  CHECK(ask({"x y", 2, 1, {}, {}}).error_code == 17);
  CHECK(ask({"u", 0, 1, {}, {}}).error_code == 37);
  CHECK(ask({"u", 100'001, 1, {}, {}}).error_code == 37);
  CHECK(ask({"u", 1, 0, {}, {}}).error_code == 38);
  CHECK(ask({"u", 1, 1, {}, {{"no.such", "1"}}}).error_code == 40);
  CHECK(ask({"u", 1, 1, {}, {{"retention.ms", std::nullopt}}}).error_code == 40);
  CHECK(ask({"u", -1, -1, {{0, {7}}}, {}}).error_code == 39);
  CHECK(ask({"u", -1, -1, {{0, {0}}, {2, {0}}}, {}}).error_code == 39);
  CHECK(ask({"u", -1, -1, {{1, {0}}, {0, {0}}}, {}}).num_partitions == 2);
}

TEST_CASE("topics grow, never shrink, and go by name or id") {
  HandlerKit kit;
  kit.make_topic("t", 2);
  auto grow = [&](int32_t count) {
    CreatePartitionsRequest r;
    r.topics.push_back({"t", count, std::nullopt});
    return kit.answer<CreatePartitionsResponse>(std::move(r), 3).topics.at(0).error_code;
  };
  CHECK(grow(2) == 37);
  CHECK(grow(4) == 0);
  CHECK(kit.engine.find_topic("t")->partitions.size() == 4);
  auto remove = [&](std::optional<std::string> name, Uuid id) {
    DeleteTopicsRequest r;
    r.topics.push_back({name, id});
    return kit.answer<DeleteTopicsResponse>(std::move(r), 6).topics.at(0).error_code;
  };
  Uuid id = kit.engine.find_topic("t")->id;
  CHECK(remove("t", id) == 42);
  CHECK(remove(std::nullopt, id) == 0);
  CHECK(remove(std::nullopt, id) == 100);
  CHECK(remove("t", Uuid{}) == 3);
}

TEST_CASE("a topic that is to be deleted by its name and by its id is answered once, and stays") {
  HandlerKit kit;
  kit.make_topic("t");
  DeleteTopicsRequest r;
  r.topics.push_back({std::nullopt, kit.engine.find_topic("t")->id});
  r.topics.push_back({"t", Uuid{}});
  auto answer = kit.answer<DeleteTopicsResponse>(std::move(r), 6);
  REQUIRE(answer.topics.size() == 1);
  CHECK(answer.topics[0].name == "t");
  CHECK(answer.topics[0].topic_id == kit.engine.find_topic("t")->id);
  CHECK(answer.topics[0].error_code == 42);
  CHECK(kit.engine.find_topic("t"));
}

TEST_CASE("producer ids are given once") {
  HandlerKit kit;
  InitProducerIdRequest request;
  request.transactional_id.reset();
  int64_t first = kit.answer<InitProducerIdResponse>(request, 4).producer_id;
  CHECK(kit.answer<InitProducerIdResponse>(request, 4).producer_id > first);
  request.producer_id = 5, request.producer_epoch = 0;  // wants another one
  CHECK(kit.answer<InitProducerIdResponse>(request, 4).producer_id > first + 1);
  request.producer_epoch = -1;
  CHECK(kit.answer<InitProducerIdResponse>(request, 4).error_code == 42);
  request.producer_id = -1, request.transactional_id = "t";
  CHECK(kit.answer<InitProducerIdResponse>(request, 4).error_code == 35);
}

TEST_CASE("settings are shown with what was set or their defaults, and where that comes from") {
  auto shown = shown_settings({{"retention.ms", "5"}});
  CHECK(shown.size() == all_topic_settings().size());
  auto find = [&](std::string_view name) -> const ShownSetting& {
    return *std::find_if(shown.begin(), shown.end(), [&](auto& s) { return s.about.name == name; });
  };
  CHECK(find("retention.ms").value == "5");
  CHECK(find("retention.ms").source == SettingSource::topic);
  CHECK(find("cleanup.policy").value == "delete");
  CHECK(find("cleanup.policy").source == SettingSource::default_value);
}

TEST_CASE("errors that a retry can cure are retriable to Kafka's clients") {
  auto code = [](Errc e) { return error_code_of(Error{e, 0, ""}, Verb::append); };
  for (Errc full : {Errc::kFull, Errc::kTimedOut, Errc::kWouldBlock}) CHECK(code(full) == ErrorCode::kRequestTimedOut);
  for (Errc away : {Errc::kClosed, Errc::kUnavailable, Errc::kBusy}) CHECK(code(away) == ErrorCode::kNotLeaderOrFollower);
  CHECK(code(Errc::kReadOnly) == ErrorCode::kStorageError);
  CHECK(code(Errc::kTooLarge) == ErrorCode::kMessageTooLarge);
}
