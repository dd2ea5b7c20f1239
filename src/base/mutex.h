// Mutex, MutexLock, CondVar: the standard ones with clang's thread-safety annotations.
// Name what a lock guards with GUARDED_BY, what a function needs with REQUIRES.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define TFS_ANNOTATE(x) __attribute__((x))
#else
#define TFS_ANNOTATE(x)
#endif
#define CAPABILITY(x) TFS_ANNOTATE(capability(x))
#define SCOPED_CAPABILITY TFS_ANNOTATE(scoped_lockable)
#define GUARDED_BY(x) TFS_ANNOTATE(guarded_by(x))
#define REQUIRES(...) TFS_ANNOTATE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) TFS_ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) TFS_ANNOTATE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) TFS_ANNOTATE(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) TFS_ANNOTATE(locks_excluded(__VA_ARGS__))
#define RETURN_CAPABILITY(x) TFS_ANNOTATE(lock_returned(x))
#define NO_THREAD_SAFETY_ANALYSIS TFS_ANNOTATE(no_thread_safety_analysis)

namespace topicfs {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { m_.lock(); }
  void unlock() RELEASE() { m_.unlock(); }
  bool try_lock() TRY_ACQUIRE(true) { return m_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex m_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& m) ACQUIRE(m) : m_(m) { m_.lock(); }
  ~MutexLock() RELEASE() {
    if (held_) m_.unlock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  void unlock() RELEASE() { m_.unlock(), held_ = false; }
  void lock() ACQUIRE() { m_.lock(), held_ = true; }

 private:
  Mutex& m_;
  bool held_ = true;
};

/// A simulation has one thread, which must not block: what it does instead of waiting, called without the lock, until
/// what it waits for has come. Null on every thread of the product.
inline thread_local void (*instead_of_waiting)() = nullptr;

class CondVar {
 public:
  void wait(Mutex& m) REQUIRES(m) NO_THREAD_SAFETY_ANALYSIS {
    if (instead_of_waiting) {
      m.unlock();
      instead_of_waiting();
      m.lock();
      return;
    }
    std::unique_lock<std::mutex> l(m.m_, std::adopt_lock);
    c_.wait(l);
    l.release();
  }
  /// False when the time has passed.
  bool wait_for(Mutex& m, std::chrono::nanoseconds d) REQUIRES(m) NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> l(m.m_, std::adopt_lock);
    bool woken = c_.wait_for(l, d) == std::cv_status::no_timeout;
    l.release();
    return woken;
  }
  void notify_one() { c_.notify_one(); }
  void notify_all() { c_.notify_all(); }

 private:
  std::condition_variable c_;
};

}  // namespace topicfs
