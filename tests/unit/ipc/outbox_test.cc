#include "ipc/outbox.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include "ipc/messages.h"
#include "support/manual_executor.h"

namespace topicfs::ipc {
namespace {

struct Line {
  ManualExecutor clock;
  UniqueFd ours, theirs;
  Wake wake = *Wake::create();
  std::optional<Outbox> outbox;

  Line() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    ours = UniqueFd(fds[0]), theirs = UniqueFd(fds[1]);
    clock.advance(std::chrono::seconds(1));  // a quiet line
    outbox.emplace(ours.get(), wake, clock);
  }
  void put() { outbox->put(1, Sync{PartitionId(1)}, Outbox::Hurry::yes); }
  /// Whole frames that have arrived since the last call.
  size_t arrived() {
    static const size_t frame_bytes = [] {
      std::vector<std::byte> frame;
      put_frame(frame, 1, Sync{PartitionId(1)});
      return frame.size();
    }();
    std::byte bytes[4096];
    ssize_t n = ::recv(theirs.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    return n <= 0 ? 0 : static_cast<size_t>(n) / frame_bytes;
  }
};

TEST_CASE_FIXTURE(Line, "what a thread puts while it holds leaves when it lets go, together") {
  outbox->hold();
  for (int i = 0; i < 3; i++) put();
  CHECK(arrived() == 0);
  outbox->release();
  CHECK(arrived() == 3);
  clock.advance(std::chrono::seconds(1));
  put();
  CHECK(arrived() == 1);
}

TEST_CASE_FIXTURE(Line, "another thread's frames do not wait, and take along what is held") {
  outbox->hold();
  put();
  std::thread other([&] {
    outbox->hold();  // not while another holds
    put();
    outbox->release();
  });
  other.join();
  CHECK(arrived() == 2);
  put();
  CHECK(arrived() == 0);
  outbox->release();
  CHECK(arrived() == 1);
}

TEST_CASE_FIXTURE(Line, "what the loop held is sent when it flushes") {
  outbox->adopt_loop();
  outbox->hold();
  put();
  outbox->release();
  CHECK(arrived() == 0);
  outbox->flush();
  CHECK(arrived() == 1);
}

}  // namespace
}  // namespace topicfs::ipc
