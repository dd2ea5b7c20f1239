// Loop: one thread that runs sockets, timers and posted tasks. A connection lives on one loop for
// good, so its state needs no lock. Asio stays behind this header.
#pragma once

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace asio {
class io_context;
}

namespace topicfs::kafka {

class Loop final : public Executor {
 public:
  explicit Loop(Clock& clock);
  ~Loop() override;  ///< stopped before
  void start();
  /// Ends the thread; what is posted later is dropped.
  void stop();

  asio::io_context& io();
  /// Thread-safe. Tasks run in order; those posted while the loop is busy run in one wake-up.
  void post(Task task) override;
  /// True on the loop's own thread.
  bool is_current() const;
  TimerId at(MonotonicTime when, Task task) override;
  bool cancel(TimerId id) override;

 private:
  struct Asio;
  void drain();
  void run_timers();
  void arm();

  Clock& clock_;
  std::unique_ptr<Asio> asio_;
  std::thread thread_;
  Mutex mutex_;
  std::vector<Task> tasks_ GUARDED_BY(mutex_);
  bool is_draining_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::map<std::pair<MonotonicTime, TimerId>, Task> timers_ GUARDED_BY(mutex_);
  std::map<TimerId, MonotonicTime> timer_times_ GUARDED_BY(mutex_);
  TimerId last_timer_ GUARDED_BY(mutex_) = 0;
};

}  // namespace topicfs::kafka
