// Daemon: the engine, the mount, and the gateway's door, put together and taken apart in order.
#pragma once

#include <memory>

#include <topicfs/result.h>

#include "base/options.h"
#include "base/thread_executor.h"
#include "daemon/gateway_process.h"
#include "engine/local_engine.h"
#include "fuse/mount.h"
#include "io/posix_file_system.h"
#include "ipc/server.h"
#include "pool/pool_warmer.h"

namespace topicfs {

class Daemon {
 public:
  /// Everything is up when this returns: data recovered, mounted, the gateway listening. Waits.
  static Result<std::unique_ptr<Daemon>> start(const DaemonOptions& options);
  ~Daemon();

  /// From any thread: wait() goes on.
  void request_stop() { mount_->request_stop(); }
  /// Until somebody unmounts, or request_stop; then ends everything, offloading what it can in the time it has.
  void run();

 private:
  explicit Daemon(const DaemonOptions& options);
  Result<void> open_engine();
  Result<void> start_gateway();
  Result<void> mount();
  void close();

  const DaemonOptions options_;
  Clock& clock_;
  std::unique_ptr<ThreadExecutor> executor_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<LogDevice> device_;
  std::unique_ptr<ObjectStore> store_;
  std::unique_ptr<LocalEngine> engine_;
  std::unique_ptr<ipc::Server> server_;
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<fuse::Mount> mount_;
  std::unique_ptr<PoolWarmer> pool_warmer_;
};

}  // namespace topicfs
