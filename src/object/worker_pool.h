// WorkerPool: a small fixed number of threads and a bounded queue, for work that blocks or computes.
#pragma once

#include <deque>
#include <thread>
#include <vector>

#include <topicfs/completion.h>

#include "base/mutex.h"

namespace topicfs {

/// What a job is told when its turn comes.
enum class Turn {
  work,
  closing,  ///< do nothing but answer kClosed
};

class WorkerPool {
 public:
  using Job = UniqueFunction<void(Turn)>;

  WorkerPool(size_t threads, size_t max_queued);
  ~WorkerPool() { close(); }

  /// Jobs that run are waited for; those that wait, and later ones, get Turn::closing, on the
  /// thread that closes or submits. Not from a job; again does nothing.
  void close();

  /// False, and `job` is untouched, if `max_queued` jobs wait already. Thread-safe.
  [[nodiscard]] bool submit(Job& job);

 private:
  void run();

  const size_t max_queued_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Job> queue_ GUARDED_BY(mutex_);
  bool closing_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace topicfs
