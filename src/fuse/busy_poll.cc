#include "fuse/busy_poll.h"

namespace topicfs::fuse {

std::optional<MonotonicTime> BusyPoll::begin_read() {
  MutexLock lock(mutex_);
  while (poller_ != std::thread::id() && !polls()) resigned_.wait(mutex_);
  reading_++;
  if (!polls()) return std::nullopt;
  return clock_.now() + longest_;
}

bool BusyPoll::end_read(Came came) {
  MutexLock lock(mutex_);
  reading_--;
  if (came == Came::none) return false;
  working_++;
  if (polls()) {
    behind_ = came == Came::waiting ? behind_ + 1 : 0;
    vain_ = came == Came::slept ? vain_ + 1 : 0;
    if (behind_ == kBehind || vain_ == kVain) return resign(), false;
    return ++polled_ % kAgain == 0 && reading_ > 0;
  }
  const bool lone = working_ == 1 && clock_.now() - finished_at_ <= longest_;
  lone_ = lone ? lone_ + 1 : 0;
  if (lone_ < kLone || poller_ != std::thread::id() || stopped_ || longest_.count() == 0) return false;
  poller_ = std::this_thread::get_id();
  behind_ = vain_ = polled_ = 0;
  return reading_ > 0;
}

void BusyPoll::finished() {
  MutexLock lock(mutex_);
  working_--;
  finished_at_ = clock_.now();
}

void BusyPoll::takes_long() {
  MutexLock lock(mutex_);
  lone_ = 0;
  if (polls()) resign();
}

void BusyPoll::stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  if (poller_ != std::thread::id()) resign();
}

void BusyPoll::resign() {
  poller_ = {};
  lone_ = 0;
  resigned_.notify_all();
}

}  // namespace topicfs::fuse
