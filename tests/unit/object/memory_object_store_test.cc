#include "support/memory_object_store.h"

#include <doctest/doctest.h>

#include <optional>

#include "support/manual_executor.h"

using namespace topicfs;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  ManualExecutor executor;
  std::shared_ptr<MemoryBucket> bucket = std::make_shared<MemoryBucket>();
  std::optional<MemoryObjectStore> store{std::in_place, executor, executor, bucket};

  Result<void> put(std::string key, std::string_view text) {
    std::optional<Result<void>> outcome;
    store->put(std::move(key), {as_byte_span(text)}, Overwrite::refuse, [&](Result<void> r) { outcome = r; });
    CHECK_FALSE(outcome);
    executor.advance(1s);
    REQUIRE(outcome);
    return *outcome;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a lost response leaves the object in the memory store, a lost request does not") {
  using Fate = MemoryObjectStore::Fate;
  store->set_faults([](const MemoryObjectStore::Request& r) -> Fate {
    return {.error = {Errc::kUnavailable, 0, "lost"},
            .effect = r.number == 0 ? Fate::Effect::none : Fate::Effect::happens};
  });
  CHECK(put("a", "1").error().code == Errc::kUnavailable);
  CHECK_FALSE(store->contains("a"));
  CHECK(put("a", "1").error().code == Errc::kUnavailable);
  CHECK(store->contains("a"));
  store->set_faults(nullptr);
  CHECK(put("a", "2").error().code == Errc::kExists);
}

TEST_CASE_FIXTURE(Fixture, "closing the memory store answers what is pending, and the bucket stays") {
  CHECK(put("a", "1"));
  std::optional<Errc> outcome;
  store->remove("a", [&](Result<void> r) { outcome = r.error().code; });
  store.reset();
  CHECK(outcome == Errc::kClosed);
  executor.run_until_idle();
  store.emplace(executor, executor, bucket);
  CHECK(store->contains("a"));
}

TEST_CASE_FIXTURE(Fixture, "latency delays the effect and the answer") {
  store->set_faults([](auto&) { return MemoryObjectStore::Fate{.latency = 10ms}; });
  bool answered = false;
  store->put("a", {}, Overwrite::allow, [&](Result<void> r) { answered = r.has_value(); });
  executor.advance(9ms);
  CHECK_FALSE(answered);
  CHECK_FALSE(store->contains("a"));
  executor.advance(1ms);
  CHECK(answered);
  CHECK(store->contains("a"));
}
