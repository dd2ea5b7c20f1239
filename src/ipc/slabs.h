// Slabs: runs of slabs out of one piece of shared memory, for the bytes that cross in it. A run is
// contiguous, counted, and free when its last holder lets go. Low addresses are used first, because
// their pages are warm.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <topicfs/completion.h>
#include <topicfs/engine.h>

#include "base/mutex.h"

namespace topicfs::ipc {

struct SlabBuffer {
  MutableByteSpan bytes;
  Pin owner;  ///< the run is free when all copies are gone
  explicit operator bool() const { return owner != nullptr; }
};

/// Thread-safe. Outlived by nothing: every owner keeps it alive.
class Slabs : public std::enable_shared_from_this<Slabs> {
 public:
  static constexpr size_t kSlabBytes = 4096;

  /// `memory` belongs to whatever `keeper` keeps.
  static std::shared_ptr<Slabs> create(MutableByteSpan memory, std::shared_ptr<const void> keeper);

  /// `size` bytes (at least 1), not cleared. Without room: an empty buffer, and `when_room` is called once
  /// when a run has become free, on the thread that freed it; otherwise it is dropped.
  SlabBuffer allocate(size_t size, Task when_room = nullptr);
  /// Another owner of the run that holds `piece`; nullptr if `piece` is not inside one run.
  Pin owner_of(ByteSpan piece);

  size_t offset_of(ByteSpan piece) const { return static_cast<size_t>(piece.data() - memory_.data()); }
  bool could_ever_hold(size_t size) const { return size <= memory_.size(); }
  size_t free_bytes();

 private:
  Slabs(MutableByteSpan memory, std::shared_ptr<const void> keeper);
  void release(uint32_t first);
  /// The first slab of a free run of `count`, or none.
  std::optional<uint32_t> find_run(uint32_t count) REQUIRES(mutex_);

  static constexpr uint32_t kFree = ~uint32_t{0};
  struct Run {
    uint32_t slabs = 0;
    std::weak_ptr<const void> owner;
  };

  const MutableByteSpan memory_;
  const std::shared_ptr<const void> keeper_;
  Mutex mutex_;
  std::vector<uint32_t> first_of_ GUARDED_BY(mutex_);  // per slab: the first one of its run, or kFree
  std::vector<Run> runs_ GUARDED_BY(mutex_);           // by first slab
  uint32_t lowest_free_ GUARDED_BY(mutex_) = 0;
  uint32_t free_ GUARDED_BY(mutex_);
  std::deque<Task> waiting_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::ipc
