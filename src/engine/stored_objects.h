// StoredObjects: the engine's table of packed objects, and reads of partitions' batches in them, by exact byte
// ranges through cached footers.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "metadata/control_records.h"
#include "metadata/store_keys.h"
#include "engine/partition.h"
#include "object/range_reader.h"

namespace topicfs {

struct FailedReads {
  uint64_t count = 0;
  std::string last_error;
};

/// Thread-safe. The store and the memory outlive it.
class StoredObjects {
 public:
  StoredObjects(ObjectStore& store, uint64_t footer_cache_bytes, uint64_t block_cache_bytes, BlockMemory& memory);

  /// Objects are known by an index that is given once, in the order in which they were added. Nothing refers to it yet.
  uint32_t add(StoredObject object);
  /// An extent that lives refers to the object; or does not any more. With none, the object is dead.
  void retain(uint32_t index);
  void release(std::span<const Extent> extents);
  std::vector<uint32_t> dead() const;
  size_t dead_count() const { return dead_count_.load(std::memory_order_relaxed); }
  /// An object that had held data has died; or so many have never held any, but control records, that they count.
  bool worth_collecting() const { return died_count_.load() > 0 || dead_count() >= kManyDead; }
  static constexpr size_t kManyDead = 64;
  std::optional<StoredObject> find(uint32_t index) const;
  bool contains(const std::string& key) const;
  /// A dead object is not in the store any more.
  void forget(uint32_t index);
  /// The newest object that was ever known, here or in what a checkpoint says.
  void note_newest(EpochAndSequence object);
  EpochAndSequence newest_found() const;
  /// The footer of an object that this process has just put: its first read costs no request.
  void keep_footer(const std::string& key, Footer footer);
  /// Those that live, in order, with their indexes.
  std::vector<std::pair<uint32_t, StoredObject>> living() const;
  uint64_t total_bytes() const;  ///< of dead ones that are still stored too
  size_t count() const;

  /// Batches of the partition from `from` on, of about `max_bytes` of text or of stored bytes, out of the extent's
  /// object. RangeReader's errors; kCorrupt too if the object is not the one that the catalog knows, or is lost; kNotFound
  /// if it was deleted meanwhile.
  void read(const Extent& extent, PartitionId partition, TextPosition from, size_t max_bytes, Completion<ObjectRead> done);
  void read(const Extent& extent, PartitionId partition, Offset from, size_t max_bytes, Completion<ObjectRead> done);
  /// Of an object that is not in the table yet.
  void read_object(const std::string& key, PartitionId partition, Offset from, size_t max_bytes,
                   Completion<ObjectRead> done) {
    reader_.read(key, partition, from, max_bytes, std::move(done));
  }
  /// RangeReader's.
  void close() { reader_.close(); }
  void find_footer(const std::string& key, Completion<FooterPtr> done) { footers_.find(key, std::move(done)); }

  /// Reads of partitions that failed, of which whoever asked was told.
  FailedReads failed_reads() const;
  CacheCounters footer_counters() const { return footers_.counters(); }
  CacheCounters block_counters() const { return reader_.counters(); }

 private:
  struct Entry {
    StoredObject object;
    uint32_t extents = 0;  ///< that refer to it
    bool has_lived = false;
  };
  Completion<ObjectRead> checked(uint32_t index, const StoredObject& object, Completion<ObjectRead> done);
  bool lives(uint32_t index) const;
  void note_failed(const Error& error);
  void count_dead(const Entry& entry, int change) REQUIRES(mutex_) {
    dead_count_.fetch_add(static_cast<size_t>(change));
    if (entry.has_lived) died_count_.fetch_add(static_cast<size_t>(change));
  }

  mutable Mutex mutex_;
  std::map<uint32_t, Entry> objects_ GUARDED_BY(mutex_);
  std::set<std::string> keys_ GUARDED_BY(mutex_);
  uint32_t next_ GUARDED_BY(mutex_) = 0;
  EpochAndSequence newest_ GUARDED_BY(mutex_);
  FailedReads failed_ GUARDED_BY(mutex_);
  std::atomic<size_t> dead_count_{0}, died_count_{0};
  FooterCache footers_;
  RangeReader reader_;
};

}  // namespace topicfs
