#include "ipc/outbox.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>

namespace topicfs::ipc {

Result<Wake> Wake::create() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return fail_errno("cannot make an eventfd", errno);
  return Wake(std::move(fd));
}

void Wake::signal() const {
  uint64_t one = 1;  // cannot fail short of an overflow, which would mean the same
  [[maybe_unused]] ssize_t written = ::write(fd_.get(), &one, sizeof one);
}

void Wake::drain() const {
  uint64_t count = 0;
  [[maybe_unused]] ssize_t got = ::read(fd_.get(), &count, sizeof count);
}

void Outbox::put_done(Hurry hurry) {
  if (out_.size() - sent_ > kMaxWaitingBytes) {
    dead_ = true;
    wake_.signal();
  }
  const auto caller = std::this_thread::get_id();
  if (blocked_ || caller == loop_ || caller == holder_) return;
  if (hurry == Hurry::yes && clock_.now() - last_sent_ > kQuiet) return send_some();
  if (std::exchange(woken_, true)) return;
  wake_.signal();
}

void Outbox::send_some() {
  while (sent_ < out_.size() && !dead_) {
    ssize_t n = ::send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno != EAGAIN) dead_ = true;
      out_.erase(out_.begin(), out_.begin() + static_cast<ptrdiff_t>(std::exchange(sent_, 0)));
      if (!std::exchange(blocked_, true) && std::this_thread::get_id() != loop_) wake_.signal();
      return;
    }
    sent_ += static_cast<size_t>(n);
  }
  last_sent_ = clock_.now();
  out_.clear();
  sent_ = 0;
}

void Outbox::hold() {
  MutexLock lock(mutex_);
  if (holder_ == std::thread::id()) holder_ = std::this_thread::get_id();
}

void Outbox::release() {
  MutexLock lock(mutex_);
  const auto caller = std::this_thread::get_id();
  if (holder_ != caller) return;
  holder_ = {};
  if (!blocked_ && caller != loop_ && sent_ < out_.size()) send_some();
}

void Outbox::flush() {
  MutexLock lock(mutex_);
  woken_ = blocked_ = false;
  if (sent_ < out_.size()) send_some();
}

size_t Outbox::waiting_bytes() {
  MutexLock lock(mutex_);
  return out_.size() - sent_;
}

bool Outbox::blocked() {
  MutexLock lock(mutex_);
  return blocked_;
}

bool Outbox::dead() {
  MutexLock lock(mutex_);
  return dead_;
}

void Outbox::close() {
  MutexLock lock(mutex_);
  dead_ = true;
}

}  // namespace topicfs::ipc
