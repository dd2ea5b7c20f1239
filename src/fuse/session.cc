#include "fuse/session.h"

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include <csignal>
#include <cstdlib>

#include "base/log.h"
#include "fuse/mountpoint.h"

namespace topicfs::fuse {
namespace {

using namespace std::chrono_literals;

// Gets a worker out of read(2) on /dev/fuse. Its default action is to be ignored, so that a late
// one hurts nobody; the handler only has to exist.
constexpr int kKickSignal = SIGURG;
constexpr auto kKickInterval = 10ms;
// Longer than any engine makes an append wait; what is not answered then never will be.
constexpr auto kDrainTimeout = 15s;

void ignore_kick(int) {}

void install_kick_handler() {
  struct sigaction action {};
  action.sa_handler = ignore_kick;  // without SA_RESTART: read(2) ends with EINTR
  ::sigaction(kKickSignal, &action, nullptr);
}

void log_libfuse(enum fuse_log_level level, const char* format, va_list arguments) {
  char line[512];
  ::vsnprintf(line, sizeof line, format, arguments);
  std::string_view text(line);
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (level <= FUSE_LOG_ERR)
    LOG_ERROR("libfuse: {}", text);
  else
    LOG_DEBUG("libfuse: {}", text);
}

std::string escape(const std::string& text) {  // commas end mount options
  std::string escaped;
  for (char c : text) {
    if (c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// Signals belong to the main program's thread.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigdelset(&all, kKickSignal);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

Result<std::unique_ptr<Session>> Session::start(const SessionOptions& options, LowLevel& low_level) {
  std::unique_ptr<Session> session(new Session(options, low_level));
  fuse_set_log_func(log_libfuse);
  install_kick_handler();

  std::string mount_options = "default_permissions,subtype=topicfs,fsname=" + escape(options.source);
  if (options.allow_other) mount_options += ",allow_other";
  for (const std::string& option : options.kernel_options) mount_options += "," + option;
  fuse_args args = FUSE_ARGS_INIT(0, nullptr);
  for (const char* argument : {"topicfs", "-o", mount_options.c_str()}) fuse_opt_add_arg(&args, argument);
  session->session_ = fuse_session_new(&args, &lowlevel_ops(), sizeof(fuse_lowlevel_ops), &low_level);
  fuse_opt_free_args(&args);
  if (!session->session_) return fail(Errc::kIo, "libfuse refused the mount options " + mount_options);

  if (fuse_session_mount(session->session_, options.mountpoint.c_str()) != 0) {
    fuse_session_destroy(std::exchange(session->session_, nullptr));
    return fail(Errc::kIo,
                "can't mount at " + options.mountpoint +
                    ": /dev/fuse must exist, and without root the package fuse3 be installed and the "
                    "directory be yours");
  }
  {
    MutexLock lock(session->mutex_);
    session->working_ = options.threads;
  }
  for (unsigned i = 0; i < options.threads; i++)
    session->workers_.emplace_back([raw = session.get()] { raw->work(); });
  return session;
}

Session::~Session() {
  stop([] {});
}

void Session::work() {
  ::pthread_setname_np(::pthread_self(), "topicfs-fuse");
  block_signals();
  fuse_buf buffer{};
  while (!fuse_session_exited(session_)) {
    if (!request_memory) request_memory = memory_.take(kRequestMemoryBytes);
    buffer.mem = request_memory.get();
    const int size = receive(buffer);
    if (size == -EINTR) continue;
    if (size <= 0) break;  // unmounted
    fuse_session_process_buf(session_, &buffer);
    low_level_.busy_poll.finished();
  }
  request_memory.reset();
  fuse_session_exit(session_);
  low_level_.busy_poll.stop();
  MutexLock lock(mutex_);
  working_--;
  changed_.notify_all();
}

int Session::receive(fuse_buf& buffer) {
  BusyPoll::Came came = BusyPoll::Came::slept;
  if (const auto end = low_level_.busy_poll.begin_read()) came = look_until(*end);
  const int size = fuse_session_receive_buf(session_, &buffer);
  for (pthread_t other : low_level_.busy_poll.end_read(size > 0 ? came : BusyPoll::Came::none))
    ::pthread_kill(other, kKickSignal);
  return size;
}

BusyPoll::Came Session::look_until(MonotonicTime end) {
  pollfd device{fuse_session_fd(session_), POLLIN, 0};
  if (::poll(&device, 1, 0) != 0) return BusyPoll::Came::waiting;
  while (low_level_.clock.now() < end) {
    ::sched_yield();  // whoever else wants this processor goes first
    if (::poll(&device, 1, 0) != 0) return BusyPoll::Came::later;
  }
  return BusyPoll::Came::slept;
}

void Session::wait() {
  MutexLock lock(mutex_);
  while (working_ == options_.threads && !stopping_) changed_.wait(mutex_);
}

void Session::request_stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool Session::ended() {
  MutexLock lock(mutex_);
  return working_ != options_.threads;
}

void Session::stop_workers() {
  fuse_session_exit(session_);
  low_level_.busy_poll.stop();
  {
    MutexLock lock(mutex_);
    while (working_ > 0) {
      // Again and again: a signal that comes just before read(2) does not end it.
      for (auto& worker : workers_) ::pthread_kill(worker.native_handle(), kKickSignal);
      changed_.wait_for(mutex_, kKickInterval);
    }
  }
  for (auto& worker : workers_) worker.join();
  workers_.clear();
}

void Session::stop(const std::function<void()>& drain) {
  if (!session_) return;
  const bool mounted = !ended();
  request_stop();
  if (mounted)
    if (auto unmounted = unmount_lazily(options_.mountpoint); !unmounted)
      LOG_ERROR("{}", unmounted.error().message());
  stop_workers();
  drain();
  const MonotonicTime deadline = low_level_.clock.now() + kDrainTimeout;
  {
    MutexLock lock(mutex_);
    while (low_level_.outstanding.load() > 0 && low_level_.clock.now() < deadline)
      changed_.wait_for(mutex_, kKickInterval);
  }
  if (low_level_.outstanding.load() > 0) {
    // Their answers would use a session that is gone; keeping it is the lesser evil.
    LOG_ERROR("{} requests were never answered", low_level_.outstanding.load());
    return void(session_ = nullptr);
  }
  // Frees what fuse_session_mount has allocated; where files are still open it would unmount by
  // path, which may be another's by now.
  pollfd device{fuse_session_fd(session_), 0, 0};
  if (::poll(&device, 1, 0) == 1 && (device.revents & POLLERR)) fuse_session_unmount(session_);
  fuse_session_destroy(std::exchange(session_, nullptr));  // closes /dev/fuse: the connection ends
}

}  // namespace topicfs::fuse
