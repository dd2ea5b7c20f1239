// StoredObjects: the engine's table of packed objects, and reads of partitions' batches in them, by exact byte
// ranges through cached footers.
#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "metadata/control_records.h"
#include "engine/partition.h"
#include "object/range_reader.h"

namespace topicfs {

/// Thread-safe. The store and the memory outlive it.
class StoredObjects {
 public:
  StoredObjects(ObjectStore& store, uint64_t footer_cache_bytes, uint64_t block_cache_bytes, BlockMemory& memory);

  /// Objects are known by their index, in the order in which they were added.
  uint32_t add(StoredObject object);
  /// The footer of an object that this process has just put: its first read costs no request.
  void keep_footer(const std::string& key, Footer footer);
  std::vector<StoredObject> all() const;
  uint64_t total_bytes() const;
  size_t count() const;

  /// Batches of the partition from `from` on, of about `max_bytes` of text or of stored bytes, out of the extent's
  /// object. RangeReader's errors; kCorrupt too if the object is not the one that the catalog knows.
  void read(const Extent& extent, PartitionId partition, TextPosition from, size_t max_bytes, Completion<ObjectRead> done);
  void read(const Extent& extent, PartitionId partition, Offset from, size_t max_bytes, Completion<ObjectRead> done);
  /// Of an object that is not in the table yet.
  void read_object(const std::string& key, PartitionId partition, Offset from, size_t max_bytes,
                   Completion<ObjectRead> done) {
    reader_.read(key, partition, from, max_bytes, std::move(done));
  }
  void find_footer(const std::string& key, Completion<FooterPtr> done) { footers_.find(key, std::move(done)); }

  CacheCounters footer_counters() const { return footers_.counters(); }
  CacheCounters block_counters() const { return reader_.counters(); }

 private:
  StoredObject at(uint32_t index) const;

  mutable Mutex mutex_;
  std::vector<StoredObject> objects_ GUARDED_BY(mutex_);
  FooterCache footers_;
  RangeReader reader_;
};

}  // namespace topicfs
