// LentThread: while one lives on a thread, what is called there may leave one piece of work that waits for the disk;
// the thread does it when the LentThread ends, outside of every lock. For a thread that would otherwise only wait for
// that work's outcome, as the mount's do for a durable write: to wake another for it costs more than a fast disk takes.
#pragma once

#include <topicfs/completion.h>

namespace topicfs {

class LentThread {
 public:
  LentThread() : before_(std::exchange(current_, this)) {}
  ~LentThread() {
    current_ = before_;
    if (work_) work_();
  }
  LentThread(const LentThread&) = delete;
  LentThread& operator=(const LentThread&) = delete;

  /// True if this thread is lent and will do `work`; it takes one piece. Otherwise nothing happens.
  template <class Work>
  [[nodiscard]] static bool leave(Work&& work) {
    if (!current_ || current_->work_) return false;
    current_->work_ = std::forward<Work>(work);
    return true;
  }

 private:
  Task work_;
  LentThread* before_;
  inline static thread_local LentThread* current_ = nullptr;
};

}  // namespace topicfs
