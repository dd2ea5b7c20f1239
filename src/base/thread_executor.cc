#include "base/thread_executor.h"

#include <pthread.h>

#include "base/check.h"

namespace topicfs {

ThreadExecutor::ThreadExecutor(std::string name, Clock& clock)
    : clock_(clock), name_(std::move(name)), thread_([this] { run(); }) {}

ThreadExecutor::~ThreadExecutor() {
  MUST(std::this_thread::get_id() != thread_.get_id());
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ThreadExecutor::post(Task task) {
  {
    MutexLock lock(mutex_);
    posted_.push_back(std::move(task));
    if (posted_.size() > 1) return;  // the one before it has woken the thread
  }
  changed_.notify_one();
}

TimerId ThreadExecutor::at(MonotonicTime when, Task task) {
  TimerId id;
  bool earliest;
  {
    MutexLock lock(mutex_);
    id = ++last_id_;
    auto timer = timers_.emplace(when, Timer{id, std::move(task)});
    timer_of_.emplace(id, timer);
    earliest = timer == timers_.begin();
  }
  if (earliest) changed_.notify_one();
  return id;
}

bool ThreadExecutor::cancel(TimerId id) {
  Task dropped;  // destroyed after the lock is released: it may own anything
  MutexLock lock(mutex_);
  auto found = timer_of_.find(id);
  if (found == timer_of_.end()) return false;
  dropped = std::move(found->second->second.task);
  timers_.erase(found->second);
  timer_of_.erase(found);
  lock.unlock();
  return true;
}

Task ThreadExecutor::next() {
  MutexLock lock(mutex_);
  for (;;) {
    // Timers first, or a stream of posted tasks would hold them up.
    if (!timers_.empty() && !stopping_) {
      auto first = timers_.begin();
      const MonotonicTime now = clock_.now();
      if (first->first <= now) {
        Task task = std::move(first->second.task);
        timer_of_.erase(first->second.id);
        timers_.erase(first);
        return task;
      }
      if (posted_.empty()) {
        changed_.wait_for(mutex_, first->first - now);
        continue;
      }
    }
    if (!posted_.empty()) {
      Task task = std::move(posted_.front());
      posted_.pop_front();
      return task;
    }
    if (stopping_) return {};
    changed_.wait(mutex_);
  }
}

void ThreadExecutor::run() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  while (Task task = next()) task();
}

}  // namespace topicfs
