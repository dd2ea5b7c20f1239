#include "base/thread_executor.h"

#include <doctest/doctest.h>

#include <future>
#include <optional>
#include <vector>

using namespace topicfs;
using namespace std::chrono_literals;

namespace {

/// Waits until all that was posted before has run.
void drain(ThreadExecutor& executor) {
  std::promise<void> done;
  executor.post([&] { done.set_value(); });
  REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
}

}  // namespace

TEST_CASE("tasks run in the order in which they were posted, on one other thread") {
  ThreadExecutor executor("test", system_clock());
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  for (int i = 0; i < 100; i++)
    executor.post([&, i] { order.push_back(i), threads.push_back(std::this_thread::get_id()); });
  drain(executor);
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; i++) CHECK(order[static_cast<size_t>(i)] == i);
  for (auto id : threads) CHECK((id == threads[0] && id != std::this_thread::get_id()));
}

TEST_CASE("timers run by time, not by the order in which they were set, and not early") {
  ThreadExecutor executor("test", system_clock());
  std::vector<int> order;
  std::promise<void> done;
  const MonotonicTime start = system_clock().now();
  MonotonicTime first{};
  executor.at(start + 20ms, [&] { order.push_back(2), done.set_value(); });
  executor.at(start + 10ms, [&] { order.push_back(1), first = system_clock().now(); });
  REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
  CHECK(order == std::vector{1, 2});
  CHECK(first >= start + 10ms);
}

TEST_CASE("a cancelled timer never runs, and is cancelled once") {
  ThreadExecutor executor("test", system_clock());
  bool ran = false;
  std::promise<void> later;
  const MonotonicTime start = system_clock().now();
  const TimerId id = executor.at(start + 10ms, [&] { ran = true; });
  CHECK(executor.cancel(id));
  CHECK_FALSE(executor.cancel(id));
  CHECK_FALSE(executor.cancel(0));
  executor.at(start + 15ms, [&] { later.set_value(); });
  REQUIRE(later.get_future().wait_for(10s) == std::future_status::ready);
  CHECK_FALSE(ran);
}

TEST_CASE("a timer that has run can't be cancelled") {
  ThreadExecutor executor("test", system_clock());
  std::promise<void> done;
  const TimerId id = executor.at(system_clock().now(), [&] { done.set_value(); });
  REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
  CHECK_FALSE(executor.cancel(id));
}

TEST_CASE("tasks may post, set timers and cancel them") {
  ThreadExecutor executor("test", system_clock());
  std::promise<bool> cancelled;
  executor.post([&] {
    const TimerId id = executor.at(system_clock().now() + 1h, [] {});
    executor.post([&, id] { cancelled.set_value(executor.cancel(id)); });
  });
  auto answer = cancelled.get_future();
  REQUIRE(answer.wait_for(10s) == std::future_status::ready);
  CHECK(answer.get());
}

TEST_CASE("the destructor runs what was posted and drops timers that are not due") {
  int ran = 0;
  {
    ThreadExecutor executor("test", system_clock());
    executor.at(system_clock().now() + 1h, [&] { ran = 1000; });
    for (int i = 0; i < 50; i++) executor.post([&] { ran++; });
  }
  CHECK(ran == 50);
}

TEST_CASE("an idle executor uses no processor time") {
  ThreadExecutor executor("test", system_clock());
  std::promise<pthread_t> self;
  executor.post([&] { self.set_value(pthread_self()); });
  clockid_t clock;
  REQUIRE(pthread_getcpuclockid(self.get_future().get(), &clock) == 0);
  drain(executor);
  timespec before{}, after{};
  // Only a wait can show idleness: on a condition that never comes true.
  std::promise<void> never;
  clock_gettime(clock, &before);
  CHECK(never.get_future().wait_for(50ms) == std::future_status::timeout);
  clock_gettime(clock, &after);
  CHECK((after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec < 2'000'000);
}
