// MemoryFileSystem: a FileSystem that keeps two images of every file, what was written and what is durable, so
// that a test or a simulation can take the power away and let operations fail. ManualLogDevice carries out a log's
// writes in tasks of an executor.
//
// Fault rules:
//   - A write by SyncMethod::buffered or direct is durable after sync(); by the dsync methods at once.
//   - A name that is made, replaced or removed is so for good after sync_directory() of its directory.
//   - crash() forgets what is not durable, or tosses a coin for each unsynced 512-byte sector of each file, for each
//     file's growth and for each unsynced name: any mixture of old and new may be left. Locks end with it, and files
//     that were open reach nothing any more.
//   - A hook decides on every operation: it may fail without effect; a write may fail after a part of its sectors
//     (short, or torn); a sync may fail, and then what it should have made durable, and has not, is forgotten by all
//     later syncs too, as Linux does it, though it still reads back, but for direct I/O; a sync may lie: it succeeds and does nothing.
//   - After cut_power_after(n) and n more operations everything fails, without effect, until crash(); a write that
//     was the last may have come to the disk in part.
//   - damage() flips a bit, in both images.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "io/file_system.h"

namespace topicfs::testing {

enum class DiskOperation { open, read, write, sync, list, rename, remove, sync_directory };

struct DiskRequest {
  DiskOperation operation;
  std::string_view path;
  SyncMethod method = SyncMethod::buffered;  ///< of an open
};

struct DiskFate {
  enum class Effect {
    all,
    some,  ///< of a write: sectors by the toss of a coin
    none,  ///< of a sync without an error: a lie
  };
  Error error{};  ///< an empty `what` means success
  Effect effect = Effect::all;
};

class MemoryFileSystem final : public FileSystem {
 public:
  /// A coin: true keeps what is not durable, or not whole.
  using Keep = std::function<bool()>;
  void crash(Keep keep = {});

  /// The next `count` writes to files whose path contains `part` fail with `error`.
  void fail_writes(std::string part, Error error, int count);
  /// Files whose path contains `part` cannot be made ("": all can), as on a full disk.
  void fail_new_files(std::string part, Error error);
  /// Asked once for each operation. `coin` decides which sectors of a partial write arrive.
  using Faults = std::function<DiskFate(const DiskRequest&)>;
  void set_faults(Faults faults, Keep coin);
  void cut_power_after(uint64_t operations);
  /// On: it will not go after all; or it was the process alone that ended, and what was written is still there.
  void set_power(bool on);
  bool has_power();
  /// Operations so far.
  uint64_t operations();
  /// True if a sync has lied about bytes that are not durable yet.
  bool has_lied();

  /// Flips a bit, in both images.
  void damage(const std::string& path, uint64_t position);
  /// Flips every bit back that damage() has flipped, and that nobody has written over.
  void mend();
  /// A file as direct reads see it, and where bits of it are flipped: bytes that damage() hit, and nobody has written since.
  struct Image {
    std::vector<std::byte> bytes;
    std::set<uint64_t> damaged;
    std::vector<std::byte> undamaged() const;
  };
  Image image(const std::string& path);
  std::vector<std::string> paths();
  bool has(const std::string& path);
  std::vector<std::byte> contents(const std::string& path);
  /// Every file is gone, as with the disk.
  void wipe();

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
  enum class Sector : uint8_t {
    clean,
    written,    ///< the next sync makes it durable
    forgotten,  ///< a failed sync has lost it: it reads back until the next crash
  };
  struct Node {
    std::vector<std::byte> written, durable;
    std::vector<Sector> sectors;       ///< of `written`
    std::vector<uint32_t> unsynced;    ///< numbers of those that are not clean
    bool lied = false;
    std::set<uint64_t> damaged, damaged_durably;  ///< bytes with a flipped bit, of either image
    void flip(uint64_t position);
    void mend(uint64_t position);
    void put(uint64_t position, ByteSpan bytes);
    void make_durable(uint32_t sector);
    void sync();
    void sync(uint64_t from, uint64_t to);
    void forget_clean();
    void lose_unsynced(const Keep& keep);
    void see_lost(uint64_t position, MutableByteSpan into) const;  ///< as direct I/O does
    void crash(const Keep& keep);
  };
  using NodePtr = std::shared_ptr<Node>;

  DiskFate decide(DiskOperation operation, std::string_view path, SyncMethod method = SyncMethod::buffered) REQUIRES(mutex_);
  Result<void> write(Node& node, const std::string& path, SyncMethod method, uint64_t position,
                     const std::vector<ByteSpan>& pieces);

  Mutex mutex_;
  std::map<std::string, NodePtr> names_ GUARDED_BY(mutex_), durable_names_ GUARDED_BY(mutex_);
  std::set<std::string> locks_ GUARDED_BY(mutex_);
  std::string failing_ GUARDED_BY(mutex_);
  Error failure_ GUARDED_BY(mutex_);
  int failures_ GUARDED_BY(mutex_) = 0;
  std::string unmakeable_ GUARDED_BY(mutex_);
  Error cannot_make_ GUARDED_BY(mutex_);
  Faults faults_ GUARDED_BY(mutex_);
  Keep coin_ GUARDED_BY(mutex_);
  uint64_t operations_ GUARDED_BY(mutex_) = 0;
  std::optional<uint64_t> power_left_ GUARDED_BY(mutex_);  ///< operations until the power goes
};

/// Each write is a task of its own; so is each background task.
class ManualLogDevice final : public LogDevice {
 public:
  explicit ManualLogDevice(Executor& executor) : executor_(executor) {}
  void submit(LogWrite& write) override;
  void run(Task task) override { executor_.post(std::move(task)); }
  uint64_t writes() const { return writes_; }
  /// A disk that hangs: a write does not begin until this is false again.
  void hang(bool hangs);

 private:
  Executor& executor_;
  bool hangs_ = false;
  LogWrite* hanging_ = nullptr;
  uint64_t writes_ = 0;
};

}  // namespace topicfs::testing
