#include "engine/retention.h"

#include <algorithm>

#include "base/log.h"

namespace topicfs {

Retention::Retention(Catalog& catalog, Executor& executor, Clock& clock, Move move)
    : catalog_(catalog), executor_(executor), clock_(clock), move_(std::move(move)) {}

void Retention::start() {
  {
    MutexLock l(mutex_);
    running_ = true;
  }
  on_settings();
}

void Retention::on_settings() {
  MutexLock l(mutex_);
  arm(clock_.now() + kRetentionLeastWait);
}

void Retention::on_data() {
  if (!limits_.load(std::memory_order_relaxed) || data_seen_.load(std::memory_order_relaxed)) return;
  if (data_seen_.exchange(true)) return;
  MutexLock l(mutex_);
  arm(clock_.now() + kRetentionSizeWait);
}

void Retention::stop() {
  MutexLock l(mutex_);
  running_ = false;
  if (timer_) executor_.cancel(std::exchange(timer_, 0));
}

/// Sees to a step at `when` or before.
void Retention::arm(MonotonicTime when) {
  if (!running_ || busy_ || (timer_ && when_ <= when)) return;
  if (timer_) executor_.cancel(timer_);
  when_ = when;
  timer_ = executor_.at(when, [this] { step(); });
}

void Retention::step() {
  {
    MutexLock l(mutex_);
    timer_ = 0;
    if (!running_ || busy_) return;
    busy_ = true;
  }
  data_seen_.store(false);
  WallMilliseconds now = clock_.wall_now();
  bool limits = false;
  std::vector<LogStart> starts;
  WallMilliseconds next = WallMilliseconds::max();
  for (Partition* p : catalog_.partitions()) {
    RetentionLimits most = p->retention();
    if (most.milliseconds < 0 && most.bytes < 0) continue;
    limits = true;
    if (starts.size() == kMaxMovedLogStarts) break;
    Partition::Expired expired = p->expired(now);
    if (expired.start) starts.push_back({p->id, expired.start->first, expired.start->second});
    if (expired.next) {
      int64_t slack = std::min<int64_t>(most.milliseconds / kRetentionSlack, 60'000);
      next = std::min(next, *expired.next + WallMilliseconds(slack));
    }
  }
  limits_.store(limits);
  {
    MutexLock l(mutex_);
    busy_ = !starts.empty();
    if (next != WallMilliseconds::max()) {
      MonotonicTime wait = std::clamp<MonotonicTime>(std::min(next - now, WallMilliseconds(kRetentionMostWait / std::chrono::milliseconds(1))),
                                                     kRetentionLeastWait, kRetentionMostWait);
      arm(clock_.now() + wait);
    }
  }
  if (starts.empty()) return;
  moves_ += starts.size();
  move_(std::move(starts), [this](Result<void> moved) {
    if (!moved) LOG_WARNING("old records could not be deleted: {}", moved.error().message());
    MutexLock l(mutex_);
    busy_ = false;
    arm(clock_.now() + (moved ? kRetentionLeastWait : kRetentionRetry));  // for what comes next
  });
}

}  // namespace topicfs
