// ManualExecutor: an Executor and Clock that a test drives by hand. Nothing runs before the test
// says so, time stands still between the calls of `advance`, and the order of tasks is always the
// same: by time, then by the order in which they were given. Thread-safe, as Executor asks; tasks
// run on the thread that calls `run_until_idle` or `advance`.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace topicfs {

class ManualExecutor final : public Executor, public Clock {
 public:
  /// More tasks than this at one point of time are a livelock: a bug, so the process ends.
  static constexpr uint64_t kMaxTasksAtOnce = 10'000'000;

  explicit ManualExecutor(MonotonicTime start = std::chrono::seconds(1),
                          WallMilliseconds wall_start = WallMilliseconds(1'700'000'000'000))
      : now_(start), wall_offset_(wall_start - std::chrono::duration_cast<WallMilliseconds>(start)) {}

  void post(Task task) override {
    MutexLock lock(mutex_);
    add(now_, std::move(task));
  }
  /// A time that has passed means now.
  TimerId at(MonotonicTime when, Task task) override {
    MutexLock lock(mutex_);
    return add(when < now_ ? now_ : when, std::move(task));
  }
  bool cancel(TimerId id) override {
    Task dropped;  // destroyed after the lock is released: it may own anything
    MutexLock lock(mutex_);
    auto found = when_.find(id);
    if (found == when_.end()) return false;
    auto task = tasks_.find({found->second, id});
    dropped = std::move(task->second);
    tasks_.erase(task);
    when_.erase(found);
    lock.unlock();
    return true;
  }

  MonotonicTime now() override {
    MutexLock lock(mutex_);
    return now_;
  }
  WallMilliseconds wall_now() override {
    MutexLock lock(mutex_);
    return wall_offset_ + std::chrono::duration_cast<WallMilliseconds>(now_);
  }

  /// Run one task that is due. False if there is none.
  bool step() { return run_one_before(now()); }
  /// Run the next task, whenever it is due, moving time forward to it. False if there is none.
  bool run_next() { return run_one_before(MonotonicTime::max()); }
  /// Forget every task, as the end of a process does.
  void drop_tasks() {
    std::map<std::pair<MonotonicTime, TimerId>, Task> dropped;  // destroyed after the lock is released
    MutexLock lock(mutex_);
    dropped.swap(tasks_);
    when_.clear();
    lock.unlock();
  }
  /// The wall clock is set, forward or back; the monotonic one does not notice.
  void jump_wall(WallMilliseconds by) {
    MutexLock lock(mutex_);
    wall_offset_ += by;
  }

  /// Run what is due now, and what that posts, until nothing is. Answers how many tasks ran.
  uint64_t run_until_idle() {
    uint64_t ran = 0;
    for (MonotonicTime until = now(); run_one_before(until);) MUST(++ran < kMaxTasksAtOnce);
    return ran;
  }

  /// Move time forward by `duration`, running each task at its own time on the way.
  uint64_t advance(std::chrono::nanoseconds duration) {
    MUST(duration.count() >= 0);
    MonotonicTime until = now() + duration;
    uint64_t ran = 0;
    while (run_one_before(until)) MUST(++ran < kMaxTasksAtOnce);
    MutexLock lock(mutex_);
    now_ = until;
    return ran;
  }

  /// Move to the next task, whenever it is due, and run everything due at that time. False if there is none.
  bool advance_to_next() {
    auto next = next_due();
    if (!next) return false;
    if (auto wait = *next - now(); wait.count() > 0) advance(wait);
    else run_until_idle();
    return true;
  }

  std::optional<MonotonicTime> next_due() {
    MutexLock lock(mutex_);
    if (tasks_.empty()) return std::nullopt;
    return tasks_.begin()->first.first;
  }
  /// Tasks that have not run, due or not.
  size_t pending() {
    MutexLock lock(mutex_);
    return tasks_.size();
  }

 private:
  TimerId add(MonotonicTime when, Task task) REQUIRES(mutex_) {
    TimerId id = ++last_id_;
    tasks_.emplace(std::pair(when, id), std::move(task));
    when_.emplace(id, when);
    return id;
  }

  bool run_one_before(MonotonicTime until) {
    Task task;
    {
      MutexLock lock(mutex_);
      if (tasks_.empty() || tasks_.begin()->first.first > until) return false;
      auto first = tasks_.begin();
      now_ = first->first.first > now_ ? first->first.first : now_;
      when_.erase(first->first.second);
      task = std::move(first->second);
      tasks_.erase(first);
    }
    task();
    return true;
  }

  Mutex mutex_;
  MonotonicTime now_ GUARDED_BY(mutex_);
  WallMilliseconds wall_offset_ GUARDED_BY(mutex_);
  TimerId last_id_ GUARDED_BY(mutex_) = 0;
  std::map<std::pair<MonotonicTime, TimerId>, Task> tasks_ GUARDED_BY(mutex_);
  std::unordered_map<TimerId, MonotonicTime> when_ GUARDED_BY(mutex_);
};

}  // namespace topicfs
