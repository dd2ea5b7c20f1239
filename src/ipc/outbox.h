// Outbox: frames on their way out of one socket, from any thread, with few system calls. The thread
// that finds the line quiet sends at once, because then a single request waits for it; frames that
// follow closely are gathered, and the socket's own thread (its loop) sends them together.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/unique_fd.h"
#include "ipc/frame.h"

namespace topicfs::ipc {

/// An eventfd that one loop sleeps on.
class Wake {
 public:
  static Result<Wake> create();
  void signal() const;
  void drain() const;
  int fd() const { return fd_.get(); }

 private:
  explicit Wake(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

class Outbox {
 public:
  /// A line where nothing was sent for this long is quiet.
  static constexpr std::chrono::microseconds kQuiet{20};
  /// More than this in the box means that the other side does not read.
  static constexpr size_t kMaxWaitingBytes = 64 << 20;

  enum class Hurry {
    yes,  ///< someone waits for this frame: send at once if the line is quiet
    no,   ///< soon will do
  };

  Outbox(int socket, const Wake& wake, Clock& clock) : socket_(socket), wake_(wake), clock_(clock) {}

  /// The calling thread is the loop: what it puts is sent when it calls `flush`.
  void adopt_loop() {
    MutexLock lock(mutex_);
    loop_ = std::this_thread::get_id();
  }

  /// False (and nothing is put) if the frame's payload is longer than `max_payload_bytes`.
  template <class Message>
  bool put(uint64_t request, const Message& message, Hurry hurry, ByteSpan tail = {},
           size_t max_payload_bytes = kMaxAnswerBytes) {
    MutexLock lock(mutex_);
    if (dead_) return true;
    auto before = out_.size();
    put_frame(out_, request, message, tail);
    if (out_.size() - before > max_payload_bytes + kFrameHeaderBytes) {
      out_.resize(before);
      return false;
    }
    put_done(hurry);
    return true;
  }

  /// What the calling thread puts until it calls `release` leaves together then, or earlier with what others put. One
  /// thread at a time: for a second one this does nothing.
  void hold();
  void release();
  /// Send what there is. Only from the loop.
  void flush();
  /// Bytes that wait for the socket to take them.
  size_t waiting_bytes();
  /// The socket is full: wait until it is writable, then flush.
  bool blocked();
  /// The other side is gone, or never reads.
  bool dead();
  /// What is put from now on is dropped.
  void close();

 private:
  void put_done(Hurry hurry) REQUIRES(mutex_);
  void send_some() REQUIRES(mutex_);

  const int socket_;
  const Wake& wake_;
  Clock& clock_;
  Mutex mutex_;
  std::thread::id loop_ GUARDED_BY(mutex_);
  std::thread::id holder_ GUARDED_BY(mutex_);  // none: nobody holds
  std::vector<std::byte> out_ GUARDED_BY(mutex_);
  size_t sent_ GUARDED_BY(mutex_) = 0;  // of out_
  MonotonicTime last_sent_ GUARDED_BY(mutex_){0};
  bool woken_ GUARDED_BY(mutex_) = false;  // the loop will flush
  bool blocked_ GUARDED_BY(mutex_) = false;
  bool dead_ GUARDED_BY(mutex_) = false;
};

}  // namespace topicfs::ipc
