// What an engine remembers across restarts: checkpoints of its own making, the log's entries, and objects that the
// bucket has beyond its newest checkpoint.
#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/log.h"
#include "engine/local_engine.h"
#include "object/block_reader.h"
#include "record/records.h"

namespace topicfs {

/// Runs in the control queue's order, so that catalog, objects and extents are of one moment.
Checkpoint LocalEngine::make_checkpoint() {
  Checkpoint c;
  c.store = store_id_;
  c.epoch = epoch_;
  c.sequence = offloader_->last_sequence();
  c.log_from = offloader_->offloaded();
  c.control_end = Offset(control_end_.load());
  Catalog::Numbers numbers = catalog_.numbers();
  c.next_topic = numbers.next_topic, c.next_partition = numbers.next_partition;
  for (const TopicPtr& t : catalog_.list()) c.topics.push_back(*t);
  std::unordered_map<uint32_t, uint32_t> places;  // of objects in the checkpoint, by index
  for (auto& [index, object] : objects_->living()) {
    places[index] = static_cast<uint32_t>(c.objects.size());
    c.objects.push_back(std::move(object));
  }
  for (Partition* p : catalog_.partitions()) {
    c.partitions.push_back({p->id, p->saved()});
    for (Extent& e : c.partitions.back().state.extents) e.object = places.at(e.object);
  }
  c.groups = groups_.records();
  offloaded_producers_.expire(parts_.clock.now() - options_.producer_id_expiration, kMaxProducers);
  c.producers = offloaded_producers_.save(parts_.clock.now(), parts_.clock.wall_now());
  std::erase_if(c.producers, [&](const ProducerState& p) { return !catalog_.find(p.partition); });
  std::sort(c.partitions.begin(), c.partitions.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return c;
}

Result<void> LocalEngine::restore(Checkpoint checkpoint) {
  if (checkpoint.store != store_id_) return fail(Errc::kCorrupt, "the checkpoint is another store's");
  for (TopicInfo& t : checkpoint.topics) {
    TRY_ASSIGN(auto change, catalog_.apply(TopicCreated{std::move(t)}));
    apply_settings(*change.after);
  }
  catalog_.restore_numbers({checkpoint.next_topic, checkpoint.next_partition});
  objects_->note_newest({checkpoint.epoch, checkpoint.sequence});
  std::vector<uint32_t> indexes;
  for (StoredObject& o : checkpoint.objects) indexes.push_back(objects_->add(std::move(o)));
  for (Checkpoint::PartitionState& s : checkpoint.partitions) {
    Partition* p = catalog_.partition(s.id);
    if (!p) return fail(Errc::kCorrupt, "a checkpoint has a partition that belongs to no topic");
    for (Extent& e : s.state.extents) {
      e.object = indexes.at(e.object);
      objects_->retain(e.object);
    }
    p->restore(std::move(s.state));
  }
  for (const GroupRecord& g : checkpoint.groups) groups_.apply(g);
  control_end_.store(checkpoint.control_end.v);
  for (ProducerTable* table : {&producers_, &offloaded_producers_}) {
    MonotonicTime now = parts_.clock.now();
    for (const ProducerState& p : checkpoint.producers) table->restore(p, now, parts_.clock.wall_now());
    table->expire(now - options_.producer_id_expiration, kMaxProducers);
  }
  log_from_ = checkpoint.log_from;
  return {};
}

// ---- the log

Result<void> LocalEngine::on_entry(const wal::RecoveredEntry& entry) {
  Partition* p = catalog_.partition(PartitionId(entry.header.partition));
  if (!p) return {};  // of a topic that was deleted
  BatchRef ref;
  ref.base = Offset(entry.header.base_offset), ref.text = TextPosition(entry.header.text_position);
  ref.at = entry.at, ref.sequence = entry.header.sequence;
  ref.bytes = entry.header.body_bytes;
  ref.records = entry.header.records;
  ref.text_bytes = entry.header.text_bytes;
  ref.max_timestamp = entry.header.max_timestamp;
  TRY_ASSIGN(BatchHeader header, BatchHeader::parse(entry.body));
  ref.codec = header.raw_codec();
  ref.control = header.is_control();
  ref.from_file = (entry.header.flags & wal::kEntryFromFile) != 0;
  ref.producer = producer_of(header);
  if (ref.base < p->next_offset || ref.text < p->next_text)
    return fail(Errc::kCorrupt, "the log has offset " + std::to_string(ref.base.v) + " of a partition that ends at " +
                                    std::to_string(p->next_offset.v));
  p->note_epoch(header.partition_leader_epoch, ref.base);
  p->replay(ref, WallMilliseconds(ref.max_timestamp));
  if (ref.producer.is_set())
    producers_.remember(producers_.find(p->id, ref.producer.id), p->id, ref.producer, ref.records, ref.base,
                        ref.max_timestamp, 0, parts_.clock.now());
  if (p->id != kControlPartition) {
    replayed_bytes_ += wal::entry_footprint(ref.bytes);
    return {};
  }
  return replay_control(header, entry.body);
}

void LocalEngine::on_commit(wal::LogPosition end) {
  offloader_->recovered(end, std::exchange(replayed_bytes_, 0), std::exchange(replayed_change_, false));
}

/// Applies the records of one batch of the internal partition that are not in the checkpoint.
Result<void> LocalEngine::replay_control(const BatchHeader& header, ByteSpan batch) {
  TRY_ASSIGN(RecordsView view, RecordsView::of_batch(header, {&batch, 1}));
  RecordReader reader(view);
  for (int32_t i = 0; i < view.record_count; i++) {
    Record record;
    std::string json;
    auto take = [&](ByteSpan part) { json.append(as_text(part)); };
    if (!reader.begin(record) || !reader.read_value(take) || !reader.end(record))
      return tl::unexpected<Error>(reader.error());
    Offset offset = header.base_offset + record.offset_delta;
    TRY_ASSIGN(ControlRecord control, decode_control_record(json));
    if (offset.v < control_end_.load()) {  // the checkpoint knows it, the bucket may not
      replayed_change_ |= !std::holds_alternative<Offloaded>(control);
      continue;
    }
    TRY(replay(control, offset));
  }
  return {};
}

Result<void> LocalEngine::replay(const ControlRecord& record, Offset offset) {
  control_end_.store(offset.v + 1);
  if (auto* r = std::get_if<Offloaded>(&record)) {
    if (r->object.to < r->object.from) return fail(Errc::kCorrupt, "an offload's record ends before it begins");
    // In the bucket's records these are objects that the checkpoint, or their own footers, have told of.
    bool new_to_us = r->object.from == offloader_->offloaded() && !objects_->contains(r->object.key);
    if (new_to_us) offloader_->apply(r->object);
    return {};
  }
  replayed_change_ = true;
  if (auto* r = std::get_if<GroupRecord>(&record)) return groups_.apply(*r), Result<void>();
  if (auto* r = std::get_if<LogStartsMoved>(&record)) return apply_log_starts(*r, offset), Result<void>();
  TRY_ASSIGN(auto change, catalog_.apply(record));
  if (change.after) apply_settings(*change.after);
  else if (change.before) forget_topic(change);
  return {};
}

// ---- the bucket

/// An object that is newer than the bucket's checkpoint: its control records take effect, and its batches, which must
/// continue their partitions exactly, become extents.
Result<void> LocalEngine::adopt(const NewerObject& newer, const Footer& footer, const std::vector<BatchView>& control) {
  if (footer.facts.store != store_id_ || footer.facts.epoch != newer.epoch || footer.facts.sequence != newer.sequence)
    return fail(Errc::kCorrupt, newer.key + " says that it is another object");
  for (const BatchView& b : control) {
    TRY_ASSIGN(BatchHeader header, BatchHeader::parse(b.bytes));
    TRY(replay_control(header, b.bytes));
  }
  StoredObject object{newer.key, newer.epoch, newer.sequence, {footer.facts.log_from}, {footer.facts.log_to},
                      newer.size_bytes, footer.crc};
  uint32_t index = objects_->add(object);
  for (const PartitionName& name : footer.partitions) {
    Partition* p = catalog_.partition(name.id);
    if (!p) continue;  // deleted by one of the control records
    std::span<const BlockEntry> blocks = footer.blocks_of(name.id);
    if (blocks.empty()) continue;
    Extent e;
    e.base = blocks.front().base_offset, e.end = blocks.back().end_offset;
    e.text = blocks.front().text_position, e.text_end = blocks.back().text_end();
    for (const BlockEntry& b : blocks) e.max_timestamp = std::max(e.max_timestamp, b.max_timestamp), e.bytes += b.size;
    e.object = index;
    if (!p->continues(e))
      return fail(Errc::kCorrupt, newer.key + " does not continue the partition " + std::to_string(name.index) + " of " +
                                      footer.topics[name.topic].name + ": something is missing from the bucket");
    if (name.id == kControlPartition) p->trim(e.end, e.text_end, kNeverDropped);
    if (p->adopt(e, footer.facts.created)) objects_->retain(index);
  }
  log_from_ = object.to;
  return {};
}

Result<void> LocalEngine::adopt_headers(PartitionId partition, const BlockReader& batches) {
  Partition* p = catalog_.partition(partition);
  MUST(p);
  for (size_t i = 0; i < batches.size(); i++) {
    TRY_ASSIGN(BatchHeader header, BatchHeader::parse(batches[i].bytes));
    p->note_epoch(header.partition_leader_epoch, header.base_offset);
    ProducerMark mark = producer_of(header);
    if (!mark.is_set() || header.record_count == 0) continue;
    for (ProducerTable* table : {&producers_, &offloaded_producers_})
      table->remember(table->find(partition, mark.id), partition, mark, static_cast<uint32_t>(header.record_count),
                      header.base_offset, header.max_timestamp, 0, parts_.clock.now());
  }
  return {};
}

}  // namespace topicfs
