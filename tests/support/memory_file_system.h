// MemoryFileSystem: a FileSystem that keeps two images of every file, what was written and what is durable, so
// that a test can take the power away. ManualLogDevice carries out a log's writes in tasks of an executor.
//
// Fault rules: a write by SyncMethod::buffered or direct is durable after sync(); by the dsync methods at once.
// A new name is durable after sync_directory(). crash() forgets what is not durable, or keeps each unsynced
// 512-byte sector by the toss of a coin. Whole-file locks end with the crash.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "io/file_system.h"

namespace topicfs::testing {

class MemoryFileSystem final : public FileSystem {
 public:
  /// Unsynced sectors survive if `keep(n)` says so, asked once for each.
  using Keep = std::function<bool()>;
  void crash(Keep keep = {});

  /// The next `count` writes to files whose path contains `part` fail with `error`.
  void fail_writes(std::string part, Error error, int count);
  /// Files whose path contains `part` cannot be made ("": all can), as on a full disk.
  void fail_new_files(std::string part, Error error);
  /// Flips a bit, in both images.
  void damage(const std::string& path, uint64_t position);
  std::vector<std::string> paths();
  std::vector<std::byte> contents(const std::string& path);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode, SyncMethod method) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
  friend class MemoryFile;
  friend class MemoryLock;
  struct Node {
    std::vector<std::byte> written, durable;
  };
  using NodePtr = std::shared_ptr<Node>;
  Mutex mutex_;
  std::map<std::string, NodePtr> names_ GUARDED_BY(mutex_), durable_names_ GUARDED_BY(mutex_);
  std::set<std::string> locks_ GUARDED_BY(mutex_);
  std::string failing_ GUARDED_BY(mutex_);
  Error failure_ GUARDED_BY(mutex_);
  int failures_ GUARDED_BY(mutex_) = 0;
  std::string unmakeable_ GUARDED_BY(mutex_);
  Error cannot_make_ GUARDED_BY(mutex_);
};

/// Each write is a task of its own; so is each background task.
class ManualLogDevice final : public LogDevice {
 public:
  explicit ManualLogDevice(Executor& executor) : executor_(executor) {}
  void submit(LogWrite& write) override;
  void run(Task task) override { executor_.post(std::move(task)); }
  uint64_t writes() const { return writes_; }

 private:
  Executor& executor_;
  uint64_t writes_ = 0;
};

}  // namespace topicfs::testing
