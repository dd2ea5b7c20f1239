// ReadAhead: gets from the store what a sequential reader will ask for next, so that it finds its blocks in the cache
// while the store and the reader work at the same time. A reader is sequential when it goes on where a read before it
// ended; nobody has to open or close anything. A window per reader doubles with each read that goes on, and all
// windows together stay within a part of the block cache, so that blocks are not pushed out before they are read. Of that
// part each reader has its share, and whoever stops reading loses it.
#pragma once

#include <memory>
#include <variant>

#include "engine/partition.h"
#include "engine/stored_objects.h"

namespace topicfs {

struct ReadAheadCounters {
  uint64_t loads = 0;       ///< requests to objects
  uint64_t bytes = 0;       ///< of batches that they brought
  uint64_t pending_bytes = 0;  ///< asked for or here, and not yet read
};

/// Thread-safe. Partitions and objects outlive it; a load that is under way at its end reaches nobody.
class ReadAhead {
 public:
  using Position = std::variant<Offset, TextPosition>;
  static constexpr size_t kSmallestWindow = 256 << 10;
  static constexpr size_t kLargestWindow = 8 << 20;
  static constexpr size_t kMaxReaders = 1024;  ///< that are remembered; the ones seen longest ago are forgotten

  /// `max_bytes`: of what all readers together have ahead of them, half of the cache that they have it in.
  ReadAhead(StoredObjects& objects, uint64_t max_bytes);
  ~ReadAhead();

  /// A read that began at `from` brought `bytes` of stored batches, from an object, and ends at `to`, of the same kind.
  void on_read(Partition& partition, Position from, Position to, uint64_t bytes);

  ReadAheadCounters counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the loads that are under way
};

}  // namespace topicfs
