// Runs handlers without sockets: an engine in memory, an executor and a clock driven by hand.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/handlers/dispatch.h"
#include "kafka/messages/registry.h"
#include "kafka/handlers/handlers.h"
#include "support/manual_executor.h"
#include "support/memory_batch.h"
#include "support/memory_engine.h"
#include "support/seeded_random.h"

namespace topicfs::kafka {

class FakeSink final : public ExchangeSink {
 public:
  explicit FakeSink(Executor& executor) : executor_(executor) {}
  void finished(Exchange& exchange) override { exchange.is_finished = true; }
  const Peer& peer() const override { return peer_; }
  Executor& executor() override { return executor_; }

 private:
  Executor& executor_;
  Peer peer_{"10.0.0.9:5", "10.0.0.1", 9092};
};

class HandlerKit {
 public:
  explicit HandlerKit(GatewaySettings options = {})
      : gateway(engine, std::move(options), executor, random, std::shared_ptr<Executor>(std::shared_ptr<void>(), &executor)) {
    gateway.groups->load(nullptr);
    executor.run_until_idle();
  }

  /// Hands `request` to its handler. Nothing else runs until the test lets it.
  template <class Resp, class Req>
  std::unique_ptr<Call<Req, Resp>> start(Req request, int16_t version) {
    auto made = new_exchange({Req::key, version, 1, {}});
    std::unique_ptr<Call<Req, Resp>> call(static_cast<Call<Req, Resp>*>(made.release()));
    call->request = std::move(request);
    call->sink = sink.get();
    handle(gateway, CallPtr<Req, Resp>(call.get(), [to = sink](auto* c) { to->finished(*c); }));
    return call;
  }
  /// The response, when everything that is due has run. Its views are good until the next answer().
  template <class Resp, class Req>
  Resp answer(Req request, int16_t version) {
    auto call = start<Resp>(std::move(request), version);
    executor.run_until_idle();
    MUST(call->is_finished);
    Resp response = std::move(call->response);
    kept_ = std::shared_ptr<Exchange>(std::move(call));
    return response;
  }

  void make_topic(std::string name, int32_t partitions = 1) {
    NewTopic topic;
    topic.name = std::move(name);
    topic.partitions = partitions;
    engine.create_topic(std::move(topic), [](Result<TopicPtr> made) { MUST(made.has_value()); });
    executor.run_until_idle();
  }
  static std::vector<std::byte> batch(std::vector<std::string_view> values) {
    return testing::build_batch(std::span<const std::string_view>(values), WallMilliseconds(1000));
  }
  /// Appends without a handler; durable when what is due has run.
  void append(std::string_view topic, std::vector<std::string_view> values, size_t partition = 0) {
    auto bytes = batch(std::move(values));
    engine.append_batch(engine.find_topic(topic)->partitions[partition].id, bytes, {}, [](Result<Appended>) {});
  }

  ManualExecutor executor;
  testing::MemoryEngine engine{testing::MemoryEngineOptions{&executor, &executor}};
  std::shared_ptr<FakeSink> sink = std::make_shared<FakeSink>(executor);
  testing::SeededRandom random{1};
  Gateway gateway;

 private:
  std::shared_ptr<Exchange> kept_;
};

}  // namespace topicfs::kafka
