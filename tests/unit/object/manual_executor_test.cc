#include "support/manual_executor.h"

#include <doctest/doctest.h>

#include <string>

using namespace topicfs;
using namespace std::chrono_literals;

TEST_CASE("the manual executor runs nothing before it is told to") {
  ManualExecutor executor;
  bool ran = false;
  executor.post([&] { ran = true; });
  CHECK_FALSE(ran);
  CHECK(executor.run_until_idle() == 1);
  CHECK(ran);
}

TEST_CASE("the manual executor runs timers in the order of their times, each at its own time") {
  ManualExecutor executor;
  auto start = executor.now();
  std::string order;
  executor.at(start + 20ms, [&] {
    order += "b";
    CHECK(executor.now() == start + 20ms);
  });
  executor.at(start + 10ms, [&] {
    order += "a";
    executor.at(start + 15ms, [&] { order += "+"; });
  });
  executor.at(start + 20ms, [&] { order += "c"; });
  executor.at(start + 31ms, [&] { order += "d"; });
  CHECK(executor.run_until_idle() == 0);
  CHECK(executor.advance(30ms) == 4);
  CHECK(order == "a+bc");
  CHECK(executor.now() == start + 30ms);
  CHECK(executor.advance_to_next());
  CHECK(executor.now() == start + 31ms);
  CHECK(order == "a+bcd");
  CHECK_FALSE(executor.advance_to_next());
}

TEST_CASE("a cancelled timer never runs, and one that ran can't be cancelled") {
  ManualExecutor executor;
  int ran = 0;
  TimerId first = executor.at(executor.now() + 1ms, [&] { ran++; });
  TimerId second = executor.at(executor.now() + 1ms, [&] { ran++; });
  CHECK(executor.cancel(first));
  CHECK_FALSE(executor.cancel(first));
  executor.advance(1ms);
  CHECK(ran == 1);
  CHECK_FALSE(executor.cancel(second));
  CHECK(executor.pending() == 0);
}
