#include "fuse/busy_poll.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "support/manual_executor.h"

using namespace topicfs;
using namespace topicfs::fuse;
using namespace std::chrono_literals;
using Came = BusyPoll::Came;

namespace {

struct Polling {
  ManualExecutor time;
  BusyPoll poll{50us, time};

  /// One request of this thread, from the look for it to its answer. True if the thread looked.
  bool serve(Came came = Came::slept, std::chrono::microseconds gap = 10us) {
    const bool looked = poll.begin_read().has_value();
    time.advance(gap);
    poll.end_read(came);
    poll.finished();
    return looked;
  }
  void become_poller() {
    for (int i = 0; i <= BusyPoll::kLone; i++) REQUIRE_FALSE(serve());  // the first has none before it
    REQUIRE(serve(Came::later));
  }
};

}  // namespace

TEST_CASE_FIXTURE(Polling, "a thread that gets one request right after another looks for the next") {
  become_poller();
  CHECK(poll.begin_read() == time.now() + 50us);
  poll.end_read(Came::later);
  poll.finished();
  for (int i = 0; i < 1000; i++) CHECK(serve(Came::later));
}

TEST_CASE_FIXTURE(Polling, "requests that come late, or while another is worked on, make no poller") {
  SUBCASE("late") {
    for (int i = 0; i < 100; i++) CHECK_FALSE(serve(Came::slept, 51us));
  }
  SUBCASE("late now and then") {
    for (int i = 0; i < 100; i++) CHECK_FALSE(serve(Came::slept, i % 20 == 0 ? 51us : 10us));
  }
  SUBCASE("side by side") {
    poll.begin_read();
    poll.end_read(Came::slept);
    std::thread([&] {
      for (int i = 0; i < 100; i++) CHECK_FALSE(serve());
    }).join();
    poll.finished();
  }
  SUBCASE("that last") {
    for (int i = 0; i < 100; i++) {
      CHECK_FALSE(poll.begin_read());
      poll.end_read(Came::slept);
      poll.takes_long();
      poll.finished();
    }
  }
  SUBCASE("interrupted reads do not count") {
    for (int i = 0; i < 100; i++) {
      CHECK_FALSE(poll.begin_read());
      CHECK(poll.end_read(Came::none).empty());
    }
    CHECK_FALSE(serve());
  }
}

TEST_CASE_FIXTURE(Polling, "a poller ends when it looks in vain, when requests queue, and before one that lasts") {
  become_poller();
  SUBCASE("in vain") {
    for (int i = 0; i < 100; i++) CHECK(serve(i % BusyPoll::kVain == 0 ? Came::later : Came::slept));
    for (int i = 1; i < BusyPoll::kVain; i++) serve(Came::slept);
  }
  SUBCASE("queued") {
    for (int i = 0; i < 100; i++) CHECK(serve(i % BusyPoll::kBehind == 0 ? Came::later : Came::waiting));
    for (int i = 0; i < BusyPoll::kBehind; i++) serve(Came::waiting);
  }
  SUBCASE("lasting") {
    CHECK(poll.begin_read());
    poll.end_read(Came::later);
    poll.takes_long();
    poll.finished();
  }
  CHECK_FALSE(serve());
}

TEST_CASE_FIXTURE(Polling, "who becomes the poller has the others called out of their reads, and they wait until it ends") {
  std::atomic<bool> called_out{false};
  std::atomic<int> reads{0};
  std::thread other([&] {
    poll.begin_read();
    reads++;
    while (!called_out) std::this_thread::yield();
    poll.end_read(Came::none);
    CHECK_FALSE(poll.begin_read());  // only when there is no poller any more
    reads++;
    poll.end_read(Came::none);
  });
  while (reads == 0) std::this_thread::yield();
  const std::vector<pthread_t> others = {other.native_handle()};
  for (int i = 0; i <= BusyPoll::kLone; i++) {
    poll.begin_read();
    CHECK(poll.end_read(Came::slept) == (i == BusyPoll::kLone ? others : std::vector<pthread_t>()));
    poll.finished();
  }
  for (int i = 1; i <= BusyPoll::kAgain; i++) {  // one that was not called out in time is called again
    CHECK(poll.begin_read());
    CHECK(poll.end_read(Came::later) == (i == BusyPoll::kAgain ? others : std::vector<pthread_t>()));
    poll.finished();
  }
  called_out = true;
  for (int i = 0; i < 100; i++) CHECK(serve(Came::later));
  CHECK(reads == 1);
  SUBCASE("by a request that lasts") { poll.takes_long(); }
  SUBCASE("by the session's end") { poll.stop(); }
  other.join();
  CHECK(reads == 2);
}

TEST_CASE("with no time to look, and after the end, nobody polls") {
  ManualExecutor time;
  BusyPoll none(0us, time), ended(50us, time);
  ended.stop();
  for (BusyPoll* poll : {&none, &ended}) {
    for (int i = 0; i < 100; i++) {
      CHECK_FALSE(poll->begin_read());
      CHECK(poll->end_read(Came::slept).empty());
      poll->finished();
    }
  }
}
