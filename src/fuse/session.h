// Session: libfuse's session and the threads that read the kernel's requests. A fixed number of
// threads is enough: no request blocks one.
#pragma once

#include <topicfs/result.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "fuse/lowlevel_ops.h"
#include "io/direct_file.h"

struct fuse_buf;
struct fuse_session;

namespace topicfs::fuse {

struct SessionOptions {
  std::string mountpoint;  ///< absolute
  std::string source;      ///< shown by mount(8) as what is mounted
  bool allow_other = false;
  unsigned threads = 2;
  std::vector<std::string> kernel_options;  ///< "ro", "noexec", ...: what mount(8) knows
};

class Session {
 public:
  /// Mounts, and answers requests from here on. kIo, kDenied with what to do.
  static Result<std::unique_ptr<Session>> start(const SessionOptions& options, LowLevel& low_level);
  ~Session();  ///< stops first, if need be
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Returns when somebody has unmounted it, or asked it to stop.
  void wait() EXCLUDES(mutex_);
  void request_stop() EXCLUDES(mutex_);
  bool ended() EXCLUDES(mutex_);
  /// Unmounts, lets what is being answered finish, calls `drain` to end what waits, and takes
  /// the connection from whoever has files open.
  void stop(const std::function<void()>& drain) EXCLUDES(mutex_);

  fuse_session* raw() { return session_; }

 private:
  Session(SessionOptions options, LowLevel& low_level)
      : options_(std::move(options)), low_level_(low_level) {}
  void work() EXCLUDES(mutex_);
  /// The size of a request, -EINTR to begin again, else there will be no more.
  int receive(fuse_buf& buffer);
  BusyPoll::Came look_until(MonotonicTime end);
  void stop_workers();

  const SessionOptions options_;
  LowLevel& low_level_;
  fuse_session* session_ = nullptr;
  DirectBuffers memory_;  // for requests
  std::vector<std::thread> workers_;
  Mutex mutex_;
  CondVar changed_;
  size_t working_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace topicfs::fuse
