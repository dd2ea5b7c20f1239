// Nodes: what the kernel knows. It counts a file's look-ups until it forgets them; a partition that
// the kernel does not know has no watcher to wake, and needs nothing invalidated.
#pragma once

#include <topicfs/types.h>

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"

namespace topicfs::fuse {

/// A partition that the kernel knows. Shared by Nodes, the files open on it, and the toucher.
struct Node {
  explicit Node(PartitionId partition) : id(partition) {}
  const PartitionId id;
  /// Where the last append made through the mount ended: for those the kernel has told inotify.
  std::atomic<int64_t> own_end{0};
  std::atomic<int64_t> told_end{0};  ///< as far as inotify watchers have been woken by a touch
  std::atomic<bool> grown{false};    ///< stands in the toucher's list

  void note_own_append(TextPosition end);
};

/// While one of these lives on a thread, that thread appends to the partition for a program on this
/// machine, whose write(2) tells inotify by itself.
class OwnAppend {
 public:
  explicit OwnAppend(PartitionId id) : before_(current_) { current_ = id; }
  ~OwnAppend() { current_ = before_; }
  OwnAppend(const OwnAppend&) = delete;
  OwnAppend& operator=(const OwnAppend&) = delete;
  static bool is_to(PartitionId id) { return current_ == id; }

 private:
  static thread_local PartitionId current_;
  const PartitionId before_;
};

class Nodes {
 public:
  /// The kernel is about to be told of this partition: one more look-up.
  std::shared_ptr<Node> remember(PartitionId id);
  void forget(PartitionId id, uint64_t lookups);
  std::shared_ptr<Node> find(PartitionId id) const;

 private:
  struct Known {
    std::shared_ptr<Node> node;
    uint64_t lookups = 0;
  };
  static constexpr size_t kShards = 16;  // an append looks up here; keep them apart
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<PartitionId, Known> known GUARDED_BY(mutex);
  };
  Shard& shard(PartitionId id) { return shards_[id.v % kShards]; }
  const Shard& shard(PartitionId id) const { return shards_[id.v % kShards]; }

  Shard shards_[kShards];
};

}  // namespace topicfs::fuse
