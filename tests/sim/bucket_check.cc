#include "sim/bucket_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "engine/checkpointer.h"
#include "metadata/checkpoint.h"
#include "metadata/store_keys.h"
#include "object/block_reader.h"
#include "record/batch.h"

namespace topicfs::sim {
namespace {

constexpr size_t kMostWaiting = 64 + 64;  // before they are worth a checkpoint, and since it

/// A packed object, from its first byte to its last.
Verdict check_object(const std::string& key, ByteSpan bytes) {
  auto broken = [&](const std::string& why) { return fmt::format("the object {} is broken: {}", key, why); };
  if (bytes.size() < kObjectHeaderBytes + kTrailerBytes) return broken("it is too short");
  auto store = parse_object_header(bytes);
  if (!store) return broken(store.error().message());
  auto trailer = Trailer::parse(bytes.last(kTrailerBytes), bytes.size());
  if (!trailer) return broken(trailer.error().message());
  auto footer = Footer::parse(bytes.subspan(trailer->footer_position, trailer->footer_size), *trailer);
  if (!footer) return broken(footer.error().message());
  if (object_key(footer->facts.epoch, footer->facts.sequence) != key) return broken("it says that it is another");
  for (const BlockEntry& entry : footer->blocks) {
    auto block = BlockReader::open(entry, bytes.subspan(entry.position, entry.size));
    if (!block) return broken(block.error().message());
    for (size_t i = 0; i < block->size(); i++) {
      BatchView batch = (*block)[i];
      auto header = BatchHeader::parse(batch.bytes);
      if (!header || header->size_bytes() != batch.bytes.size() || !has_valid_crc(*header, {&batch.bytes, 1}))
        return broken(fmt::format("its batch at offset {} is not whole", batch.base_offset.v));
      if (header->base_offset != batch.base_offset || header->next_offset() != batch.end_offset)
        return broken(fmt::format("its entry for offset {} does not agree with the batch", batch.base_offset.v));
    }
  }
  return {};
}

/// Of a whole object.
bool is_control_only(ByteSpan bytes) {
  auto trailer = Trailer::parse(bytes.last(kTrailerBytes), bytes.size());
  if (!trailer) return false;
  auto footer = Footer::parse(bytes.subspan(trailer->footer_position, trailer->footer_size), *trailer);
  return footer && std::all_of(footer->partitions.begin(), footer->partitions.end(),
                               [](const PartitionName& p) { return p.id == kControlPartition; });
}

Result<Checkpoint> newest_checkpoint(MemoryBucket& bucket) REQUIRES(bucket.mutex) {
  const MemoryBucket::Bytes* newest = nullptr;
  for (const auto& [key, bytes] : bucket.objects)
    if (key.starts_with(kCheckpointPrefix)) newest = &bytes;
  if (!newest) return fail(Errc::kNotFound, "no checkpoint");
  return decode_checkpoint(**newest);
}

}  // namespace

BucketCheck::BucketCheck(MemoryBucket& bucket) : bucket_(bucket) {
  MutexLock l(bucket_.mutex);
  bucket_.on_change = [this](const std::string& key, const MemoryBucket::Bytes& before, const MemoryBucket::Bytes& after) {
    on_change(key, before, after);
  };
}

BucketCheck::~BucketCheck() {
  MutexLock l(bucket_.mutex);
  bucket_.on_change = nullptr;
}

void BucketCheck::on_change(const std::string& key, const MemoryBucket::Bytes& before, const MemoryBucket::Bytes& after)
    NO_THREAD_SAFETY_ANALYSIS {
  if (!failure_.empty()) return;
  if (before && after && *before != *after) {
    failure_ = fmt::format("the key {} was used twice, for different bytes", key);
  } else if (before && !after) {
    auto newest = newest_checkpoint(bucket_);
    if (!newest) return;
    for (const StoredObject& o : newest->objects)
      if (o.key == key) failure_ = fmt::format("{} was deleted, and the newest checkpoint in the bucket names it", key);
  } else if (!before && key.starts_with(kObjectPrefix)) {
    objects_++;
    failure_ = check_object(key, *after);
  } else if (!before && key.starts_with(kCheckpointPrefix)) {
    if (auto c = decode_checkpoint(*after); !c) failure_ = fmt::format("the checkpoint {}: {}", key, c.error().message());
  }
}

Verdict BucketCheck::check_references() {
  MutexLock l(bucket_.mutex);
  auto newest = newest_checkpoint(bucket_);
  if (!newest) return newest.error().code == Errc::kNotFound ? Verdict() : newest.error().message();
  for (const StoredObject& o : newest->objects) {
    auto found = bucket_.objects.find(o.key);
    if (found == bucket_.objects.end()) return fmt::format("the object {} is lost: the newest checkpoint names it", o.key);
    ByteSpan bytes(*found->second);
    auto trailer = Trailer::parse(bytes.last(std::min(bytes.size(), kTrailerBytes)), bytes.size());
    if (bytes.size() != o.size_bytes || !trailer || trailer->footer_crc != o.footer_crc)
      return fmt::format("the object {} is not the one that the newest checkpoint names", o.key);
  }
  return {};
}

Verdict BucketCheck::check_collected() {
  MutexLock l(bucket_.mutex);
  auto newest = newest_checkpoint(bucket_);
  if (!newest) return newest.error().code == Errc::kNotFound ? Verdict() : newest.error().message();
  std::set<std::string> named;
  for (const StoredObject& o : newest->objects) named.insert(o.key);
  size_t waiting = 0, checkpoints = 0;
  for (const auto& [key, bytes] : bucket_.objects) {
    checkpoints += key.starts_with(kCheckpointPrefix);
    auto name = parse_key(key, kObjectPrefix);
    if (!name || named.contains(key)) continue;
    if (name->epoch == newest->epoch && (name->sequence > newest->sequence || is_control_only(*bytes))) waiting++;
    else return fmt::format("the object {} is left over: the newest checkpoint, of epoch {}, does not name it", key, newest->epoch);
  }
  if (waiting > kMostWaiting) return fmt::format("{} objects without data wait to be deleted", waiting);
  if (checkpoints > kKeptCheckpoints + 1) return fmt::format("{} checkpoints are left over", checkpoints);
  return {};
}

}  // namespace topicfs::sim
