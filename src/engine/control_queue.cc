#include "engine/control_queue.h"

#include <atomic>
#include <memory>

namespace topicfs {

void ControlQueue::change(Decide decide, Completion<void> done, By by) {
  auto one = [decide = std::move(decide)]() mutable -> Result<std::vector<ControlRecord>> {
    TRY_ASSIGN(std::optional<ControlRecord> record, decide());
    std::vector<ControlRecord> records;
    if (record) records.push_back(std::move(*record));
    return records;
  };
  change_all(std::move(one), std::move(done), by);
}

void ControlQueue::change_all(DecideAll decide, Completion<void> done, By by) {
  Error refused;
  {
    MutexLock l(mutex_);
    if (closed_ && by == By::user) refused = {Errc::kClosed, 0, "the engine is stopping"};
    else if (queue_.size() >= kMaxQueuedChanges) refused = {Errc::kFull, 0, "too many changes of the catalog wait for the log"};
    else if (!enqueue(std::move(decide), std::move(done), by)) return;
  }
  if (!refused.what.empty()) return done(tl::unexpected<Error>(std::move(refused)));
  run();
}

void ControlQueue::close(Task done) {
  {
    MutexLock l(mutex_);
    closed_ = true;
    auto nothing = []() -> Result<std::vector<ControlRecord>> { return std::vector<ControlRecord>(); };
    if (!enqueue(nothing, [done = std::move(done)](const Result<void>&) mutable { done(); }, By::engine)) return;
  }
  run();
}

/// True if it falls to the caller to run the queue.
bool ControlQueue::enqueue(DecideAll decide, Completion<void> done, By by) {
  queue_.push_back(std::make_shared<Change>(Change{std::move(decide), std::move(done), by}));
  return !std::exchange(running_, true);
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
  if (decided->empty()) {
    change->done({});
    return true;
  }
  auto records = std::make_shared<std::vector<ControlRecord>>(std::move(*decided));
  std::string lines;
  for (const ControlRecord& r : *records) lines += (lines.empty() ? "" : "\n") + encode(r);
  // Whoever comes second, the end of this call or the completion, sees to it that the queue goes on.
  auto first = std::make_shared<std::atomic<bool>>(true);
  const wal::Reserve reserve = change->by == By::engine ? wal::Reserve::use : wal::Reserve::share;
  appends_.append_control(*control_, lines, reserve, [this, change, records, first](Result<Appended> appended) {
    for (size_t i = 0; appended && i < records->size(); i++)
      apply_((*records)[i], appended->base_offset + static_cast<int64_t>(i));
    change->done(appended ? Result<void>() : Result<void>(tl::unexpected<Error>(std::move(appended).error())));
    if (!first->exchange(false)) run();
  });
  return !first->exchange(false);
}

}  // namespace topicfs
