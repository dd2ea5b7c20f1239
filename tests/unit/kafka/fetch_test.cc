// Fetch: what is answered, and exactly when.
#include <doctest/doctest.h>

#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;
using std::chrono::milliseconds;

namespace {

constexpr int16_t kVersion = 11;

FetchRequest from(std::string_view topic, int64_t offset, int32_t min_bytes = 1, int32_t max_wait_ms = 500) {
  FetchRequest r;
  r.max_wait_ms = max_wait_ms;
  r.min_bytes = min_bytes;
  r.topics.push_back({topic, {}, {}});
  r.topics[0].partitions.push_back({0, -1, offset, -1, -1, 1 << 20});
  return r;
}

const FetchResponse::Partition& only(const FetchResponse& response) {
  REQUIRE(response.topics.size() == 1);
  REQUIRE(response.topics[0].partitions.size() == 1);
  return response.topics[0].partitions[0];
}

}  // namespace

TEST_CASE("a fetch with enough data is answered without waiting") {
  HandlerKit kit;
  kit.make_topic("t");
  kit.append("t", {"a", "b"});
  kit.executor.run_until_idle();
  FetchResponse response = kit.answer<FetchResponse>(from("t", 0), kVersion);
  CHECK(only(response).error_code == 0);
  CHECK(only(response).high_watermark == 2);
  CHECK(only(response).records->size > 0);
}

TEST_CASE("a fetch at the end waits for max_wait and not a millisecond less or more") {
  HandlerKit kit;
  kit.make_topic("t");
  auto call = kit.start<FetchResponse>(from("t", 0), kVersion);
  kit.executor.advance(milliseconds(499));
  CHECK_FALSE(call->is_finished);
  kit.executor.advance(milliseconds(1));
  REQUIRE(call->is_finished);
  CHECK(only(call->response).error_code == 0);
  CHECK(only(call->response).records->size == 0);
}

TEST_CASE("a parked fetch is answered by the commit that makes an append durable") {
  HandlerKit kit;
  kit.make_topic("t");
  auto call = kit.start<FetchResponse>(from("t", 0), kVersion);
  kit.executor.run_until_idle();
  kit.append("t", {"x"});
  CHECK_FALSE(call->is_finished);
  kit.executor.run_until_idle();
  REQUIRE(call->is_finished);
  CHECK(only(call->response).high_watermark == 1);
}

TEST_CASE("an append that lands anywhere between the looks of a fetch wakes it") {
  for (int steps = 0; steps < 12; steps++) {
    CAPTURE(steps);
    HandlerKit kit;
    kit.make_topic("t");
    auto call = kit.start<FetchResponse>(from("t", 0), kVersion);
    for (int i = 0; i < steps; i++) kit.executor.step();
    kit.append("t", {"x"});
    kit.executor.run_until_idle();  // time stands still: only a wake-up can end it
    CHECK(call->is_finished);
  }
}

TEST_CASE("min_bytes is counted over all partitions, and reached by several commits") {
  HandlerKit kit;
  kit.make_topic("t", 2);
  size_t one = HandlerKit::batch({"0123456789"}).size();
  FetchRequest request = from("t", 0, static_cast<int32_t>(2 * one + 1));
  request.topics[0].partitions.push_back({1, -1, 0, -1, -1, 1 << 20});
  auto call = kit.start<FetchResponse>(std::move(request), kVersion);
  for (size_t i = 0; i < 3; i++) {
    kit.executor.run_until_idle();
    CHECK_FALSE(call->is_finished);
    kit.append("t", {"0123456789"}, i % 2);
  }
  kit.executor.run_until_idle();
  CHECK(call->is_finished);
}

TEST_CASE("a parked fetch holds no pins") {
  HandlerKit kit;
  kit.make_topic("t");
  kit.append("t", {"x"});
  kit.executor.run_until_idle();
  auto call = kit.start<FetchResponse>(from("t", 0, 1000), kVersion);
  kit.executor.run_until_idle();
  CHECK_FALSE(call->is_finished);
  CHECK(kit.engine.live_pins() == 0);
  kit.executor.advance(milliseconds(500));
  REQUIRE(call->is_finished);
  CHECK(only(call->response).records->size > 0);
  CHECK(kit.engine.live_pins() == 1);
  call.reset();
  CHECK(kit.engine.live_pins() == 0);
}

TEST_CASE("an abandoned fetch lets go at once") {
  HandlerKit kit;
  kit.make_topic("t");
  auto call = kit.start<FetchResponse>(from("t", 0, 1, 1'000'000), kVersion);
  kit.executor.run_until_idle();
  REQUIRE(call->on_abandoned);
  std::exchange(call->on_abandoned, nullptr)();
  kit.executor.run_until_idle();
  CHECK(call->is_finished);
}

TEST_CASE("an error answers at once") {
  HandlerKit kit;
  kit.make_topic("t");
  CHECK(only(kit.answer<FetchResponse>(from("t", 7), kVersion)).error_code == 1);
  CHECK(only(kit.answer<FetchResponse>(from("t", -1), kVersion)).error_code == 1);
  CHECK(only(kit.answer<FetchResponse>(from("nosuch", 0), kVersion)).error_code == 3);
  FetchRequest newer = from("t", 0);
  newer.topics[0].partitions[0].current_leader_epoch = 1;
  CHECK(only(kit.answer<FetchResponse>(newer, kVersion)).error_code == 75);
  FetchRequest negative = from("t", 0);
  negative.max_bytes = -1;
  CHECK(only(kit.answer<FetchResponse>(negative, kVersion)).error_code == 42);
  FetchRequest level = from("t", 0);
  level.isolation_level = 2;
  CHECK(only(kit.answer<FetchResponse>(level, kVersion)).error_code == 42);
}

TEST_CASE("only the first partition with data exceeds the limits, and max_bytes holds for the rest") {
  HandlerKit kit;
  kit.make_topic("t", 3);
  for (size_t p = 1; p < 3; p++) kit.append("t", {"0123456789"}, p);
  kit.executor.run_until_idle();
  auto sizes = [&](int32_t max_bytes) {
    FetchRequest request = from("t", 0);
    request.max_bytes = max_bytes;
    for (int32_t p = 1; p < 3; p++) request.topics[0].partitions.push_back({p, -1, 0, -1, -1, 1 << 20});
    FetchResponse response = kit.answer<FetchResponse>(std::move(request), kVersion);
    std::vector<size_t> found;
    for (auto& p : response.topics[0].partitions) found.push_back(p.records->size);
    return found;
  };
  size_t one = HandlerKit::batch({"0123456789"}).size();
  int32_t both = static_cast<int32_t>(2 * one);
  CHECK(sizes(1) == std::vector<size_t>{0, one, 0});
  CHECK(sizes(both - 1) == std::vector<size_t>{0, one, 0});
  CHECK(sizes(both) == std::vector<size_t>{0, one, one});
}

TEST_CASE("a topic that is set to zstd is not served to clients from before zstd") {
  HandlerKit kit;
  kit.make_topic("t");
  kit.engine.change_settings(kit.engine.find_topic("t")->id, {{"compression.type", "zstd"}}, [](Result<TopicPtr>) {});
  kit.append("t", {"x"});
  kit.executor.run_until_idle();
  CHECK(only(kit.answer<FetchResponse>(from("t", 0), 9)).error_code == 76);
  CHECK(only(kit.answer<FetchResponse>(from("t", 0), 10)).error_code == 0);
}

TEST_CASE("a fetch that names a partition again is not made to wait, and its client is asked to pause") {
  HandlerKit kit;
  kit.make_topic("t", 2);
  FetchRequest request = from("t", 0);
  request.topics.push_back({"t", {}, {{1, -1, 0, -1, -1, 1 << 20}}});
  auto waits = kit.start<FetchResponse>(request, kVersion);
  request.topics[1].partitions[0].partition = 0;
  auto call = kit.start<FetchResponse>(std::move(request), kVersion);
  kit.executor.run_until_idle();
  CHECK_FALSE(waits->is_finished);
  REQUIRE(call->is_finished);
  CHECK(call->response.topics[1].partitions[0].error_code == 0);
  CHECK(call->throttle.load() == milliseconds(100));
  kit.append("t", {"x"});
  kit.executor.run_until_idle();
  CHECK(waits->is_finished);
}
