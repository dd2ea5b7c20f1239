// GatewayProcess: topicfs-kafka as a child, started again when it dies, ended with the daemon.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <topicfs/result.h>

#include "base/mutex.h"
#include "base/options.h"

namespace topicfs {

/// kBusy if somebody listens there already; kInvalidArgument, kDenied.
Result<void> check_can_listen(const Address& address);

class GatewayProcess {
 public:
  /// Runs the topicfs-kafka beside this program, or on the PATH, with `arguments`, and waits until it listens on
  /// `address`. kNotFound, kIo, kTimedOut.
  static Result<std::unique_ptr<GatewayProcess>> start(std::vector<std::string> arguments, const Address& address);
  /// Ends the child: asked with SIGTERM, then killed.
  ~GatewayProcess();

 private:
  explicit GatewayProcess(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}
  Result<pid_t> spawn();
  void supervise();

  const std::vector<std::string> arguments_;
  std::string program_;
  Mutex mutex_;
  CondVar changed_;
  pid_t child_ GUARDED_BY(mutex_) = -1;
  bool has_listened_ GUARDED_BY(mutex_) = false;  ///< from then on it is started again, however it ends
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace topicfs
