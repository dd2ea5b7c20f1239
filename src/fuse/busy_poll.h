// BusyPoll: which of a session's threads looks for the next request again and again instead of sleeping in read(2), so
// that a program whose requests come right after one another need not wake a thread for each of them. Only one does,
// and while it does the others keep out of the kernel, which would wake them first.
//
// A thread becomes the poller after kLone requests of which each came soon after the one before was done, and none while
// another was being worked on. It ends when kVain requests in a row took longer to come than it looks for them, when
// kBehind in a row waited already, so that two threads get further than one, and before work that lasts.
//
// Thread-safe. Of the threads that read, each calls: begin_read; until its answer says otherwise, looks for a request
// and reads it; end_read; if there was one, works on it; finished.
#pragma once

#include <pthread.h>

#include <optional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace topicfs::fuse {

class BusyPoll {
 public:
  static constexpr int kLone = 32;    ///< requests that make a poller
  static constexpr int kVain = 8;     ///< times in a row that it looked in vain end it
  static constexpr int kBehind = 4;   ///< as many requests in a row that waited already end it
  static constexpr int kAgain = 256;  ///< requests after which the poller looks whether others still read

  /// `longest`: how long a poller waits for one request; zero: there is never one.
  BusyPoll(std::chrono::nanoseconds longest, Clock& clock) : longest_(longest), clock_(clock) {}

  enum class Came {  // a request
    slept,    ///< while the thread was in read(2)
    waiting,  ///< before it looked
    later,    ///< while it looked
    none,     ///< never: the read was interrupted
  };

  /// Until when to look before the thread reads; nothing: not at all. Blocks while another thread polls.
  std::optional<MonotonicTime> begin_read() EXCLUDES(mutex_);
  /// The threads to call out of read(2), so that they begin again; one or the other may have left it by itself.
  std::vector<pthread_t> end_read(Came came) EXCLUDES(mutex_);
  void finished() EXCLUDES(mutex_);
  /// The request that this thread works on takes longer than to wake another: that is to read meanwhile.
  void takes_long() EXCLUDES(mutex_);
  /// No thread polls or waits for one that does from here on.
  void stop() EXCLUDES(mutex_);

 private:
  bool polls() const REQUIRES(mutex_) { return poller_ == std::this_thread::get_id(); }
  void resign() REQUIRES(mutex_);

  const std::chrono::nanoseconds longest_;
  Clock& clock_;
  Mutex mutex_;
  CondVar resigned_;
  std::thread::id poller_ GUARDED_BY(mutex_);  // that of no thread: none
  std::vector<pthread_t> reading_ GUARDED_BY(mutex_);
  int working_ GUARDED_BY(mutex_) = 0;
  int lone_ GUARDED_BY(mutex_) = 0;
  int behind_ GUARDED_BY(mutex_) = 0;
  int vain_ GUARDED_BY(mutex_) = 0;
  int polled_ GUARDED_BY(mutex_) = 0;
  MonotonicTime finished_at_ GUARDED_BY(mutex_){};
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace topicfs::fuse
