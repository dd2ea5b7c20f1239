// Mount: an engine as a directory tree, from mounting to unmounting. What main composes:
//
//   TRY_ASSIGN(auto mount, fuse::Mount::start(options, engine, executor, system_clock()));
//   ... another thread, on SIGTERM or SIGINT: mount->request_stop();
//   mount->wait();
#pragma once

#include <topicfs/engine.h>
#include <topicfs/result.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread_executor.h"
#include "fuse/filesystem.h"
#include "fuse/session.h"

namespace topicfs::fuse {

class Notifier;

struct MountOptions {
  std::string mountpoint;          ///< an empty directory
  std::string source = "topicfs";  ///< shown by mount(8), df(1)
  FilesystemOptions filesystem;    ///< space_path: a directory on the disk whose space statfs(2) tells
  unsigned threads = 0;            ///< that read requests; 0: one for each processor
  std::chrono::microseconds busy_poll{50};  ///< see BusyPoll; 0: never, as with a single processor
  std::optional<bool> allow_other; ///< open to other users; not set: where the system allows it
  std::vector<std::string> kernel_options;  ///< "ro", "noexec", ...: what mount(8) knows
};

class Mount {
 public:
  /// The mount answers when this returns. A mount that a killed daemon has left is replaced. Open to other
  /// users where the system allows that; the kernel checks owners and modes. The three
  /// outlive the mount. kNotFound, kInvalidArgument, kNotEmpty, kBusy (see prepare_mountpoint), kIo.
  static Result<std::unique_ptr<Mount>> start(MountOptions options, Engine& engine, Executor& executor,
                                              Clock& clock);
  ~Mount();  ///< as request_stop and wait
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  /// Returns when the mount has gone: unmounted by somebody, or by request_stop. All unfinished
  /// lines have been appended then, and nothing calls the engine any more. One thread waits.
  void wait();
  /// From any thread, not from a signal handler. wait() then unmounts; who has files open gets ENOTCONN.
  void request_stop();

 private:
  Mount(MountOptions options, Engine& engine, Executor& executor, Clock& clock);
  void shut_down();

  MountOptions options_;
  ThreadExecutor ahead_;
  Filesystem filesystem_;
  LowLevel low_level_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Notifier> notifier_;
};

}  // namespace topicfs::fuse
