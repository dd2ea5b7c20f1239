#include "fuse/busy_poll.h"

#include <algorithm>

namespace topicfs::fuse {

std::optional<MonotonicTime> BusyPoll::begin_read() {
  MutexLock lock(mutex_);
  while (poller_ != std::thread::id() && !polls()) resigned_.wait(mutex_);
  reading_.push_back(::pthread_self());
  if (!polls()) return std::nullopt;
  return clock_.now() + longest_;
}

std::vector<pthread_t> BusyPoll::end_read(Came came) {
  MutexLock lock(mutex_);
  reading_.erase(std::find(reading_.begin(), reading_.end(), ::pthread_self()));
  if (came == Came::none) return {};
  working_++;
  if (polls()) {
    behind_ = came == Came::waiting ? behind_ + 1 : 0;
    vain_ = came == Came::slept ? vain_ + 1 : 0;
    if (behind_ == kBehind || vain_ == kVain) resign();
    else if (++polled_ % kAgain == 0) return reading_;
    return {};
  }
  const bool lone = working_ == 1 && clock_.now() - finished_at_ <= longest_;
  lone_ = lone ? lone_ + 1 : 0;
  if (lone_ < kLone || poller_ != std::thread::id() || stopped_ || longest_.count() == 0) return {};
  poller_ = std::this_thread::get_id();
  behind_ = vain_ = polled_ = 0;
  return reading_;
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
