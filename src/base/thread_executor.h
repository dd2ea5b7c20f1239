// ThreadExecutor: the real Executor. One thread runs what is posted in order, and timers when
// they are due; with nothing to do it sleeps without waking up.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"

namespace topicfs {

class ThreadExecutor final : public Executor {
 public:
  /// `name` shows in ps and top; the kernel keeps 15 bytes of it.
  ThreadExecutor(std::string name, Clock& clock);
  /// Runs what has been posted before, drops timers that are not due, and joins. Not from a task.
  ~ThreadExecutor() override;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  void post(Task task) override EXCLUDES(mutex_);
  TimerId at(MonotonicTime when, Task task) override EXCLUDES(mutex_);
  bool cancel(TimerId id) override EXCLUDES(mutex_);

 private:
  struct Timer {
    TimerId id;
    Task task;
  };
  using Timers = std::multimap<MonotonicTime, Timer>;

  void run();
  /// The next task that may run now; an empty one when it is time to stop. Sleeps until then.
  Task next();

  Clock& clock_;
  const std::string name_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> posted_ GUARDED_BY(mutex_);
  Timers timers_ GUARDED_BY(mutex_);
  std::unordered_map<TimerId, Timers::iterator> timer_of_ GUARDED_BY(mutex_);
  TimerId last_id_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace topicfs
