#include "engine/stored_objects.h"

#include <algorithm>

#include "base/check.h"

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
  newest_ = std::max(newest_, EpochAndSequence{object.epoch, object.sequence});
  keys_.insert(object.key);
  Entry& entry = objects_[next_] = {std::move(object)};
  count_dead(entry, +1);
  return next_++;
}

void StoredObjects::retain(uint32_t index) {
  MutexLock l(mutex_);
  auto found = objects_.find(index);
  MUST(found != objects_.end());
  if (found->second.extents++ == 0) count_dead(found->second, -1);
  found->second.has_lived = true;
}

void StoredObjects::release(std::span<const Extent> extents) {
  MutexLock l(mutex_);
  for (const Extent& e : extents) {
    auto found = objects_.find(e.object);
    MUST(found != objects_.end() && found->second.extents > 0);
    if (--found->second.extents == 0) count_dead(found->second, +1);
  }
}

std::vector<uint32_t> StoredObjects::dead() const {
  std::vector<uint32_t> indexes;
  MutexLock l(mutex_);
  for (const auto& [index, entry] : objects_)
    if (entry.extents == 0) indexes.push_back(index);
  return indexes;
}

std::optional<StoredObject> StoredObjects::find(uint32_t index) const {
  MutexLock l(mutex_);
  auto found = objects_.find(index);
  if (found == objects_.end()) return std::nullopt;
  return found->second.object;
}

bool StoredObjects::contains(const std::string& key) const {
  MutexLock l(mutex_);
  return keys_.contains(key);
}

void StoredObjects::forget(uint32_t index) {
  std::string key;
  {
    MutexLock l(mutex_);
    auto found = objects_.find(index);
    if (found == objects_.end()) return;
    MUST(found->second.extents == 0);
    key = found->second.object.key;
    keys_.erase(key);
    count_dead(found->second, -1);
    objects_.erase(found);
  }
  footers_.forget(key);
  reader_.forget(key);
}

void StoredObjects::note_newest(EpochAndSequence object) {
  MutexLock l(mutex_);
  newest_ = std::max(newest_, object);
}

EpochAndSequence StoredObjects::newest_found() const {
  MutexLock l(mutex_);
  return newest_;
}

void StoredObjects::keep_footer(const std::string& key, Footer footer) {
  footers_.insert(key, std::make_shared<const Footer>(std::move(footer)));
}

std::vector<std::pair<uint32_t, StoredObject>> StoredObjects::living() const {
  std::vector<std::pair<uint32_t, StoredObject>> all;
  MutexLock l(mutex_);
  for (const auto& [index, entry] : objects_)
    if (entry.extents > 0) all.emplace_back(index, entry.object);
  return all;
}

uint64_t StoredObjects::total_bytes() const {
  MutexLock l(mutex_);
  uint64_t total = 0;
  for (const auto& [index, entry] : objects_) total += entry.object.size_bytes;
  return total;
}

size_t StoredObjects::count() const {
  MutexLock l(mutex_);
  return objects_.size();
}

void StoredObjects::read(const Extent& extent, PartitionId partition, TextPosition from, size_t max_bytes,
                         Completion<ObjectRead> done) {
  auto object = find(extent.object);
  if (!object) return done(fail(Errc::kNotFound, "the data was deleted while it was read"));
  reader_.read(object->key, partition, from, max_bytes, checked(*object, std::move(done)));
}

void StoredObjects::read(const Extent& extent, PartitionId partition, Offset from, size_t max_bytes,
                         Completion<ObjectRead> done) {
  auto object = find(extent.object);
  if (!object) return done(fail(Errc::kNotFound, "the data was deleted while it was read"));
  reader_.read(object->key, partition, from, max_bytes, checked(*object, std::move(done)));
}

}  // namespace topicfs
