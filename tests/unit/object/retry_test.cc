#include "object/retry.h"

#include <doctest/doctest.h>

#include <optional>

#include "support/manual_executor.h"
#include "support/memory_object_store.h"

using namespace topicfs;
using namespace std::chrono_literals;

namespace {

struct CountingRandom final : Random {
  uint64_t n = 0;
  uint64_t next() override { return n += 0x9e3779b97f4a7c15; }
};

struct Fixture {
  ManualExecutor executor;
  MemoryObjectStore store{executor, executor};
  CountingRandom random;
  std::optional<PutRetrier> retrier{std::in_place, store, executor, executor, random};
  std::string text = "contents";
  std::optional<Result<void>> outcome;

  void put(Overwrite overwrite) {
    retrier->put("k", {as_byte_span(text)}, overwrite, [this](Result<void> r) {
      CHECK_FALSE(outcome);
      outcome = std::move(r);
    });
    executor.run_until_idle();
  }
};

using Verb = MemoryObjectStore::Verb;
using Fate = MemoryObjectStore::Fate;

}  // namespace

TEST_CASE("delays double up to the limit and vary by half") {
  CountingRandom random;
  RetryPolicy policy{.first_delay = 100ms, .max_delay = 1s};
  for (uint32_t attempt = 0; attempt < 100; attempt++) {
    auto full = attempt < 4 ? 100ms * (1 << attempt) : std::chrono::milliseconds(1s);
    for (int i = 0; i < 10; i++) {
      auto delay = retry_delay(policy, attempt, random);
      CHECK(delay >= full / 2);
      CHECK(delay <= full);
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "a put is tried until the store takes it") {
  store.fail_next(Verb::put, {Errc::kUnavailable, 0, "503 SlowDown"}, 12);
  put(Overwrite::allow);
  CHECK_FALSE(outcome);
  CHECK(retrier->last_error() == "503 SlowDown");
  executor.advance(10min);
  REQUIRE(outcome);
  CHECK(outcome->has_value());
  CHECK(retrier->retries() == 12);
  CHECK(retrier->last_error().empty());
  CHECK(store.contains("k"));
}

TEST_CASE_FIXTURE(Fixture, "a permanent error ends a put at once") {
  store.fail_next(Verb::put, {Errc::kDenied, 0, "403"});
  put(Overwrite::allow);
  REQUIRE(outcome);
  CHECK(outcome->error().code == Errc::kDenied);
  CHECK(retrier->retries() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a put whose answer was lost finds its own object and has succeeded") {
  store.set_faults([](const MemoryObjectStore::Request& r) -> Fate {
    if (r.number == 0) return {.error = {Errc::kUnavailable, 0, "reset"}};
    return {};
  });
  put(Overwrite::refuse);
  executor.advance(1min);
  REQUIRE(outcome);
  CHECK(outcome->has_value());
}

TEST_CASE_FIXTURE(Fixture, "a put that lost against another's object says so") {
  std::string other = "Contents";
  store.put("k", {as_byte_span(other)}, Overwrite::allow, [](Result<void>) {});
  executor.run_until_idle();
  store.fail_next(Verb::put, {Errc::kUnavailable, 0, "reset"});
  put(Overwrite::refuse);
  executor.advance(1min);
  REQUIRE(outcome);
  CHECK(outcome->error().code == Errc::kExists);
}

TEST_CASE_FIXTURE(Fixture, "stopping ends the puts that wait, once, with what went wrong") {
  store.fail_next(Verb::put, {Errc::kUnavailable, 0, "503 SlowDown"}, 1000);
  put(Overwrite::allow);
  executor.advance(5s);
  CHECK_FALSE(outcome);
  SUBCASE("by stop") { retrier->stop(); }
  SUBCASE("by destruction") { retrier.reset(); }
  REQUIRE(outcome);
  CHECK(outcome->error().code == Errc::kClosed);
  CHECK(outcome->error().what.find("503 SlowDown") != std::string::npos);
  executor.advance(10min);
  CHECK(executor.pending() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a put in flight when the retrier stops is answered with what the store says") {
  retrier->put("k", {as_byte_span(text)}, Overwrite::allow, [this](Result<void> r) { outcome = std::move(r); });
  retrier->stop();
  CHECK_FALSE(outcome);
  executor.run_until_idle();
  REQUIRE(outcome);
  CHECK(outcome->has_value());
  outcome.reset();
  put(Overwrite::allow);
  REQUIRE(outcome);
  CHECK(outcome->error().code == Errc::kClosed);
}
