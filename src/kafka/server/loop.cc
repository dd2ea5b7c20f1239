#include "kafka/server/loop.h"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <optional>

namespace topicfs::kafka {

struct Loop::Asio {
  asio::io_context io{1};
  asio::steady_timer timer{io};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
};

Loop::Loop(Clock& clock) : clock_(clock), asio_(std::make_unique<Asio>()) {}

Loop::~Loop() {
  stop();
  // Tasks and timers may hold what refers back to this loop: they go before its members do.
  std::vector<Task> tasks;
  std::map<std::pair<MonotonicTime, TimerId>, Task> timers;
  MutexLock lock(mutex_);
  tasks.swap(tasks_);
  timers.swap(timers_);
  lock.unlock();
}

void Loop::start() {
  thread_ = std::thread([this] { asio_->io.run(); });
}

void Loop::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  asio_->io.stop();
  if (thread_.joinable()) thread_.join();
}

asio::io_context& Loop::io() { return asio_->io; }

bool Loop::is_current() const { return std::this_thread::get_id() == thread_.get_id(); }

void Loop::post(Task task) {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    tasks_.push_back(std::move(task));
    if (is_draining_) return;
    is_draining_ = true;
  }
  asio::post(asio_->io, [this] { drain(); });
}

void Loop::drain() {
  std::vector<Task> now;
  {
    MutexLock lock(mutex_);
    now.swap(tasks_);
    is_draining_ = false;
  }
  for (Task& task : now) {
    task();
    task.reset();
  }
}

TimerId Loop::at(MonotonicTime when, Task task) {
  TimerId id;
  {
    MutexLock lock(mutex_);
    if (stopped_) return 0;
    id = ++last_timer_;
    timers_.emplace(std::pair(when, id), std::move(task));
    timer_times_.emplace(id, when);
    if (timers_.begin()->first.second != id) return id;  // an earlier one is armed
  }
  if (is_current()) arm();
  else post([this] { arm(); });
  return id;
}

bool Loop::cancel(TimerId id) {
  Task dropped;  // after the lock: it may hold what calls back
  MutexLock lock(mutex_);
  auto found = timer_times_.find(id);
  if (found == timer_times_.end()) return false;
  auto timer = timers_.find({found->second, id});
  dropped = std::move(timer->second);
  timers_.erase(timer);
  timer_times_.erase(found);
  lock.unlock();
  return true;
}

void Loop::arm() {
  MonotonicTime first;
  {
    MutexLock lock(mutex_);
    if (timers_.empty()) return;
    first = timers_.begin()->first.first;
  }
  asio_->timer.expires_after(std::max(first - clock_.now(), MonotonicTime(0)));
  asio_->timer.async_wait([this](const asio::error_code& cancelled) {
    if (!cancelled) run_timers();
  });
}

void Loop::run_timers() {
  std::vector<Task> due;
  {
    MutexLock lock(mutex_);
    MonotonicTime now = clock_.now();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
      timer_times_.erase(timers_.begin()->first.second);
      due.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
  }
  for (Task& task : due) task();
  arm();
}

}  // namespace topicfs::kafka
