#include "engine/stored_objects.h"

namespace topicfs {
namespace {

/// Passes a read on if it came from the object that the catalog names, and not from another under its key.
Completion<ObjectRead> checked(const StoredObject& object, Completion<ObjectRead> done) {
  return [crc = object.footer_crc, key = object.key, done = std::move(done)](Result<ObjectRead> read) mutable {
    if (read && read->footer->crc != crc)
      return done(fail(Errc::kCorrupt, key + " is not the object that was put there: its footer differs"));
    done(std::move(read));
  };
}

}  // namespace

StoredObjects::StoredObjects(ObjectStore& store, uint64_t footer_cache_bytes, uint64_t block_cache_bytes,
                             BlockMemory& memory)
    : footers_(store, footer_cache_bytes), reader_(store, footers_, {block_cache_bytes, &memory}) {}

uint32_t StoredObjects::add(StoredObject object) {
  MutexLock l(mutex_);
  objects_.push_back(std::move(object));
  return static_cast<uint32_t>(objects_.size() - 1);
}

void StoredObjects::keep_footer(const std::string& key, Footer footer) {
  footers_.insert(key, std::make_shared<const Footer>(std::move(footer)));
}

StoredObject StoredObjects::at(uint32_t index) const {
  MutexLock l(mutex_);
  return objects_[index];
}

std::vector<StoredObject> StoredObjects::all() const {
  MutexLock l(mutex_);
  return objects_;
}

uint64_t StoredObjects::total_bytes() const {
  MutexLock l(mutex_);
  uint64_t total = 0;
  for (const StoredObject& o : objects_) total += o.size_bytes;
  return total;
}

size_t StoredObjects::count() const {
  MutexLock l(mutex_);
  return objects_.size();
}

void StoredObjects::read(const Extent& extent, PartitionId partition, TextPosition from, size_t max_bytes,
                         Completion<ObjectRead> done) {
  StoredObject object = at(extent.object);
  reader_.read(object.key, partition, from, max_bytes, checked(object, std::move(done)));
}

void StoredObjects::read(const Extent& extent, PartitionId partition, Offset from, size_t max_bytes,
                         Completion<ObjectRead> done) {
  StoredObject object = at(extent.object);
  reader_.read(object.key, partition, from, max_bytes, checked(object, std::move(done)));
}

}  // namespace topicfs
