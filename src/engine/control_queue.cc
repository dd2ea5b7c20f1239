#include "engine/control_queue.h"

#include <atomic>
#include <memory>

namespace topicfs {

void ControlQueue::change(Decide decide, Completion<void> done) {
  bool full;
  {
    MutexLock l(mutex_);
    full = queue_.size() >= kMaxQueuedChanges;
    if (!full) {
      queue_.push_back(std::make_shared<Change>(Change{std::move(decide), std::move(done)}));
      if (running_) return;
      running_ = true;
    }
  }
  if (full) return done(fail(Errc::kFull, "too many changes of the catalog wait for the log"));
  run();
}

void ControlQueue::run() {
  for (;;) {
    std::shared_ptr<Change> next;
    {
      MutexLock l(mutex_);
      if (queue_.empty()) {
        running_ = false;
        return;
      }
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    if (!step(std::move(next))) return;
  }
}

bool ControlQueue::step(std::shared_ptr<Change> change) {
  auto decided = change->decide();
  if (!decided) {
    change->done(tl::unexpected<Error>(std::move(decided).error()));
    return true;
  }
  if (!*decided) {
    change->done({});
    return true;
  }
  auto record = std::make_shared<ControlRecord>(std::move(**decided));
  // Whoever comes second, the end of this call or the completion, sees to it that the queue goes on.
  auto first = std::make_shared<std::atomic<bool>>(true);
  appends_.append_control(*control_, encode(*record), [this, change, record, first](Result<Appended> appended) {
    if (appended) apply_(*record, appended->base_offset);
    change->done(appended ? Result<void>() : Result<void>(tl::unexpected<Error>(std::move(appended).error())));
    if (!first->exchange(false)) run();
  });
  return !first->exchange(false);
}

}  // namespace topicfs
