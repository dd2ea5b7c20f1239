#include "object/worker_pool.h"

#include <utility>

#include "base/check.h"

namespace topicfs {

WorkerPool::WorkerPool(size_t threads, size_t max_queued) : max_queued_(max_queued) {
  for (size_t i = 0; i < threads; i++) threads_.emplace_back([this] { run(); });
}

void WorkerPool::close() {
  std::deque<Job> waiting;
  {
    MutexLock lock(mutex_);
    closing_ = true;
    waiting.swap(queue_);
    changed_.notify_all();
  }
  for (auto& thread : threads_) {
    MUST(thread.get_id() != std::this_thread::get_id());
    thread.join();
  }
  threads_.clear();
  for (Job& job : waiting) job(Turn::closing);
}

bool WorkerPool::submit(Job& job) {
  MutexLock lock(mutex_);
  if (closing_) {
    lock.unlock();
    job(Turn::closing);
    return true;
  }
  if (queue_.size() >= max_queued_) return false;
  queue_.push_back(std::move(job));
  changed_.notify_one();
  return true;
}

void WorkerPool::run() {
  MutexLock lock(mutex_);
  while (true) {
    while (queue_.empty() && !closing_) changed_.wait(mutex_);
    if (closing_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job(Turn::work);
    job.reset();
    lock.lock();
  }
}

}  // namespace topicfs
