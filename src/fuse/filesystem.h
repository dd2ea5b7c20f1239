// Filesystem: topics as directories, partitions as append-only files, over the engine. It knows the
// rules of the mount and nothing of libfuse; lowlevel_ops.cc is between it and the kernel, a test
// calls it directly. What can wait takes a reply; the rest answers at once. Thread-safe.
//
// Where POSIX and a log disagree, a partition behaves as a file under `chattr +a` (topicfs(8)).
// The kernel has checked permissions before it asks (default_permissions).
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <topicfs/engine.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "fuse/answer.h"
#include "fuse/handles.h"
#include "fuse/interrupt.h"
#include "fuse/names_and_inodes.h"
#include "fuse/nodes.h"

namespace topicfs::fuse {

/// st_blksize: what cat, cp and stdio read and write at once.
inline constexpr int64_t kBlockSizeBytes = 128 << 10;

struct FilesystemOptions {
  int32_t default_partitions = 1;   ///< of a topic made with mkdir
  Deleted deleted = Deleted::skip;  ///< what stands where retention has deleted
  /// An unfinished line becomes a record after this time: within five seconds, timers included.
  std::chrono::nanoseconds unfinished_timeout = std::chrono::milliseconds(4500);
  std::string space_path;  ///< statfs(2) tells the space of this directory's disk
  Ownership root{0, 0, 0755};
};

/// Who asks. The kernel has applied the umask to modes; `umask` is for what mkdir makes besides.
struct Caller {
  uint32_t uid = 0, gid = 0;
  mode_t umask = 022;
};

struct Entry {
  Inode inode = 0;
  struct stat attributes {};
};
struct Created {
  Entry entry;
  OpenFile* file = nullptr;
};

/// What is set, is asked for.
struct AttributeChange {
  std::optional<uint32_t> mode, uid, gid;
  std::optional<int64_t> size;
  std::optional<WallMilliseconds> modified;
};

/// A directory entry; `cookie` is where a listing goes on behind it.
struct Listed {
  std::string name;
  Inode inode = 0;
  mode_t type = 0;
  int64_t cookie = 0;
};

class Filesystem {
 public:
  /// `ahead` is where readers' text is made ready, on a thread that has time for it.
  Filesystem(FilesystemOptions options, Engine& engine, Executor& executor, Executor& ahead, Clock& clock);
  ~Filesystem();
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  // ---- names

  /// ENOENT, ENAMETOOLONG. The kernel knows the entry from here on, until it is forgotten.
  Answer<Entry> lookup(Inode parent, std::string_view name);
  void forget(Inode inode, uint64_t lookups);
  /// A topic. EINVAL: not a name that Kafka takes. EPERM: not in the root.
  void mkdir(Inode parent, std::string_view name, mode_t mode, Caller caller, Reply<Entry> reply);
  /// The topic's next partition. EPERM: not a number, or not in a topic; EINVAL: leaves a gap.
  void make_partition(Inode parent, std::string_view name, mode_t mode, Caller caller, Reply<Entry> reply);
  /// make_partition, and open it. ESTALE if another made it meanwhile: the kernel looks again, so
  /// that its permissions are checked; EEXIST with O_EXCL.
  void create(Inode parent, std::string_view name, mode_t mode, int flags, Caller caller,
              Reply<Created> reply);
  /// ENOTEMPTY if the topic has ever had data.
  void rmdir(Inode parent, std::string_view name, Reply<void> reply);

  // ---- attributes

  /// A deleted topic or partition that is still open somewhere shows without links.
  /// `file`, if any: its own end of file counts.
  Answer<struct stat> attributes(Inode inode, OpenFile* file = nullptr);
  /// A size must be the one that the file has (EPERM).
  void set_attributes(Inode inode, AttributeChange change, OpenFile* file, Reply<struct stat> reply);
  Answer<struct statvfs> space();
  /// A topic's settings are its attributes user.kafka.NAME; partitions have none.
  Answer<std::string> xattr(Inode inode, std::string_view name);
  Answer<std::string> xattr_names(Inode inode);  ///< each ends in a NUL
  /// Without a value: removes it. EPERM on partitions, EOPNOTSUPP, EINVAL (of the setting).
  void set_xattr(Inode inode, std::string_view name, std::optional<std::string> value, Reply<void> reply);

  // ---- directories

  Answer<OpenDir*> opendir(Inode inode);
  /// Entries behind `cookie` (0: from the start) until `take` returns false.
  void list(OpenDir& dir, int64_t cookie, const std::function<bool(const Listed&)>& take);
  void closedir(OpenDir* dir);

  // ---- files

  /// A partition with data opens for writing only with O_APPEND, and never with O_TRUNC: EPERM.
  void open(Inode inode, int flags, Reply<OpenFile*> reply);
  void write(OpenFile& file, const WriteRequest& request, Interrupt interrupt, Reply<size_t> reply);
  void read(OpenFile& file, const ReadRequest& request, Interrupt interrupt, Reply<topicfs::Bytes> reply);
  /// On each close(2) of a descriptor.
  void flush(OpenFile& file, Interrupt interrupt, Reply<size_t> reply);
  void sync(OpenFile& file, Interrupt interrupt, Reply<size_t> reply);
  /// After the last one; the address is not used again.
  void release(OpenFile* file);
  /// Where data (SEEK_DATA) or a hole (SEEK_HOLE) begins; ENOSYS unless deleted=hole.
  Answer<int64_t> seek(OpenFile& file, int64_t offset, int whence);
  /// Calls off what armed an Interrupt with this number, soon, on the executor; late is harmless.
  void interrupt(Waiting what, uint64_t number);

  // ---- the engine's news (EngineListener)

  void on_visible(PartitionId partition) { followers_->on_visible(partition); }
  void on_topic_deleted(const TopicPtr& topic);
  /// Calls off waiting reads and appends what open files have not appended yet. The last call.
  void stop();

  Nodes& nodes() { return nodes_; }

 private:
  struct TopicTime {
    WallMilliseconds modified;
    size_t partitions;  // a new partition makes a set time void
  };

  Answer<Entry> partition_entry(const TopicPtr& topic, int32_t index, bool follow);
  Entry topic_entry(const TopicInfo& topic);
  struct stat topic_attributes(const TopicInfo& topic);
  struct stat partition_attributes(const PartitionInfo& info, const PartitionEnds& ends, Inode inode);
  struct stat control_attributes(Inode inode);
  Answer<void> check_size(Inode inode, int64_t size, OpenFile* file);
  void set_modified(Inode inode, WallMilliseconds modified, Reply<struct stat> reply);
  void open_partition(Inode inode, PartitionId partition, int flags, Reply<OpenFile*> reply);
  void open_status(int flags, Reply<OpenFile*> reply);

  const FilesystemOptions options_;
  Engine& engine_;
  Clock& clock_;
  const WallMilliseconds started_;
  const std::shared_ptr<WriterContext> writers_;
  const std::shared_ptr<Followers> followers_;
  const std::shared_ptr<AheadContext> ahead_;
  Nodes nodes_;
  Handles<OpenFile> files_;
  Handles<OpenDir> dirs_;
  std::atomic<int64_t> status_size_{0};  // of the last snapshot
  Mutex mutex_;
  std::unordered_map<TopicNumber, TopicTime> topic_times_
      GUARDED_BY(mutex_);  // utimes on a topic; not kept over a restart
};

}  // namespace topicfs::fuse
