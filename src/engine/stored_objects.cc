#include "engine/stored_objects.h"

#include <algorithm>

#include "base/check.h"

namespace topicfs {

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

/// Passes a read on if it came from the object that the catalog names, and not from another under its key. An object that
/// lives and is not in the store is lost; one that has died meanwhile was deleted.
Completion<ObjectRead> StoredObjects::checked(uint32_t index, const StoredObject& object, Completion<ObjectRead> done) {
  return [this, index, crc = object.footer_crc, key = object.key, done = std::move(done)](Result<ObjectRead> read) mutable {
    if (read && read->footer->crc != crc)
      read = fail(Errc::kCorrupt, key + " is not the object that was put there: its footer differs");
    if (!read && read.error().code == Errc::kNotFound && lives(index))
      read = fail(Errc::kCorrupt, read.error().message() + ": the object is lost");
    if (!read && read.error().code != Errc::kNotFound && read.error().code != Errc::kClosed) note_failed(read.error());
    done(std::move(read));
  };
}

bool StoredObjects::lives(uint32_t index) const {
  MutexLock l(mutex_);
  auto found = objects_.find(index);
  return found != objects_.end() && found->second.extents > 0;
}

void StoredObjects::note_failed(const Error& error) {
  MutexLock l(mutex_);
  failed_.count++;
  failed_.last_error = error.message();
}

FailedReads StoredObjects::failed_reads() const {
  MutexLock l(mutex_);
  return failed_;
}

void StoredObjects::read(const Extent& extent, PartitionId partition, TextPosition from, size_t max_bytes,
                         Completion<ObjectRead> done) {
  auto object = find(extent.object);
  if (!object) return done(fail(Errc::kNotFound, "the data was deleted while it was read"));
  reader_.read(object->key, partition, from, max_bytes, checked(extent.object, *object, std::move(done)));
}

void StoredObjects::read(const Extent& extent, PartitionId partition, Offset from, size_t max_bytes,
                         Completion<ObjectRead> done) {
  auto object = find(extent.object);
  if (!object) return done(fail(Errc::kNotFound, "the data was deleted while it was read"));
  reader_.read(object->key, partition, from, max_bytes, checked(extent.object, *object, std::move(done)));
}

}  // namespace topicfs
