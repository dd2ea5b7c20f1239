// Clock and Executor: time and deferred work as things that are passed in, so that a simulation
// can drive every layer from one thread.
#pragma once

#include <topicfs/completion.h>
#include <topicfs/types.h>

namespace topicfs {

/// Thread-safe. The real one reads CLOCK_MONOTONIC and CLOCK_REALTIME.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() = 0;
  virtual WallMilliseconds wall_now() = 0;
};

Clock& system_clock();

using TimerId = uint64_t;  ///< 0 is no timer

/// Runs tasks, soon or at a time, one after another. Thread-safe; never runs a task inside post.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(Task task) = 0;
  virtual TimerId at(MonotonicTime when, Task task) = 0;
  /// True if the task had not started and never will.
  virtual bool cancel(TimerId id) = 0;
};

}  // namespace topicfs
