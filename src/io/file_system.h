// FileSystem, File, LogDevice: the operating system as the log and the checkpoints use it. The real
// one is posix_file_system.h; tests and the simulation have one in memory that can lose unsynced bytes.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <topicfs/completion.h>
#include <topicfs/types.h>

namespace topicfs {

/// Bytes at positions. Calls wait for the disk; callers that must not, go through a LogDevice.
/// Thread-safe. Errors: kIo, kNoSpace, kReadOnly.
class File {
 public:
  virtual ~File() = default;
  /// Fewer bytes than asked for only at the end of the file.
  virtual Result<size_t> read_at(uint64_t position, MutableByteSpan into) = 0;
  /// All of `pieces`, one behind the other.
  virtual Result<void> write_at(uint64_t position, const std::vector<ByteSpan>& pieces) = 0;
  /// What was written is durable when this returns: fdatasync(2), or nothing for a synchronous file.
  virtual Result<void> sync() = 0;
  virtual Result<uint64_t> size() = 0;
};

enum class OpenMode {
  read,
  read_write,
  create,  ///< read_write; kExists if it exists
};

/// How writes to a file become durable, and whether they pass through the page cache.
enum class SyncMethod {
  buffered,      ///< page cache; sync() is fdatasync
  buffered_dsync,///< page cache; each write is durable by itself (RWF_DSYNC)
  direct_dsync,  ///< O_DIRECT|O_DSYNC: positions, sizes and memory aligned to kDirectAlignment
  direct,        ///< O_DIRECT; sync() is fdatasync; aligned likewise
};
inline constexpr size_t kDirectAlignment = 4096;

/// Held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Paths are absolute or relative to the process. Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode, SyncMethod method) = 0;
  /// Names in a directory, without "." and "..", in no order.
  virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  /// Succeeds if it exists already; parents are made too, all of them durably.
  virtual Result<void> make_directories(const std::string& path) = 0;
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  /// Makes the directory's entries durable.
  virtual Result<void> sync_directory(const std::string& path) = 0;
  /// An exclusive lock on a file that is created as needed; kBusy names the holder.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

/// Whole small files. write_file is atomic and durable: a temporary name, then a rename.
Result<std::vector<std::byte>> read_file(FileSystem& fs, const std::string& path, uint64_t max_bytes);
Result<void> write_file(FileSystem& fs, const std::string& directory, const std::string& name, ByteSpan bytes);

/// A write that a LogDevice carries out. `prepare` may compute: it runs on the device's thread.
class LogWrite {
 public:
  virtual ~LogWrite() = default;
  struct Where {
    File* file = nullptr;
    uint64_t position = 0;
  };
  virtual Where prepare(std::vector<ByteSpan>& pieces) = 0;
  /// Whether somebody waits for it to be durable. Asked before prepare, on the device's thread.
  virtual bool is_awaited() = 0;
  /// Durable, or failed. Runs on the device's thread; may submit the next write.
  virtual void done(Result<void> result) = 0;
};

/// The asynchronous door to the log's files: what waits for the disk waits on a thread of the device's.
/// Thread-safe. Destruction waits for what was submitted.
class LogDevice {
 public:
  virtual ~LogDevice() = default;
  /// Durable when `write.done` is called. One at a time: the log submits the next from `done`, or later. A thread that
  /// is lent (base/lent_thread.h) may be what carries it out, later, when its loan ends.
  virtual void submit(LogWrite& write) = 0;
  /// Runs `task`, which tells others what `done` was told, now or soon: what it calls may take a while, and the thread that
  /// calls `done` has perhaps the next write to carry out.
  virtual void tell(Task task) { task(); }
  /// Runs `task`, which may wait for the disk, in the background: reads of cold data, preparation of segments.
  virtual void run(Task task) = 0;
};

}  // namespace topicfs
