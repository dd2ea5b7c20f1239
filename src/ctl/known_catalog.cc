#include "ctl/known_catalog.h"

#include <fmt/core.h>

#include "base/random.h"
#include "record/records.h"

namespace topicfs::ctl {

void KnownCatalog::restore(const Checkpoint& checkpoint) {
  for (const TopicInfo& t : checkpoint.topics) name(t);
  for (const StoredObject& o : checkpoint.objects) objects_[o.key] = {o, static_cast<uint32_t>(objects_.size())};
  for (const Checkpoint::PartitionState& s : checkpoint.partitions) {
    Known& p = partitions_[s.id];
    p.log_start = s.state.log_start, p.text_start = s.state.text_start;
    p.stored_end = s.state.end, p.stored_text = s.state.text_end;
    p.extents = s.state.extents;
  }
  offloaded_ = checkpoint.log_from;
}

void KnownCatalog::replay(const ControlRecord& record) {
  if (auto* r = std::get_if<TopicCreated>(&record)) return name(r->topic);
  if (auto* r = std::get_if<PartitionsAdded>(&record)) {
    Topic& t = topics_[r->topic];
    for (const PartitionInfo& p : r->partitions) {
      partitions_[p.id].name = t.name + "/" + std::to_string(t.partitions.size());
      t.partitions.push_back(p.id);
    }
  } else if (auto* deleted = std::get_if<TopicDeleted>(&record)) {
    for (PartitionId id : topics_[deleted->topic].partitions) partitions_.erase(id);
    topics_.erase(deleted->topic);
  } else if (auto* moved = std::get_if<LogStartsMoved>(&record)) {
    for (const LogStart& s : moved->starts) {
      auto it = partitions_.find(s.partition);
      if (it == partitions_.end() || s.offset <= it->second.log_start) continue;
      it->second.log_start = s.offset, it->second.text_start = s.text;
    }
  } else if (auto* offloaded = std::get_if<Offloaded>(&record)) {
    if (offloaded->object.from != offloaded_) return;  // the engine takes no notice of it either
    add(offloaded->object);
  }
}

void KnownCatalog::add(const StoredObject& object) {
  offloaded_ = object.to;
  if (!object.key.empty()) objects_[object.key] = {object, std::nullopt};
}

void KnownCatalog::name(const TopicInfo& topic) {
  Topic& t = topics_[topic.id];
  t.name = topic.name;
  t.partitions.clear();
  for (const PartitionInfo& p : topic.partitions) {
    partitions_[p.id].name = topic.name + "/" + std::to_string(t.partitions.size());
    t.partitions.push_back(p.id);
  }
}

bool KnownCatalog::is_deleted_below(PartitionId partition, Offset offset) const {
  auto it = partitions_.find(partition);
  return it == partitions_.end() || offset <= it->second.log_start;
}

std::string KnownCatalog::name_of(PartitionId id) const {
  auto it = partitions_.find(id);
  return it != partitions_.end() && !it->second.name.empty() ? it->second.name : "partition " + std::to_string(id.v);
}

KnownCatalog::Known* KnownCatalog::find(PartitionId id) {
  auto it = partitions_.find(id);
  return it == partitions_.end() ? nullptr : &it->second;
}

Result<std::vector<ControlRecord>> control_records_of(ByteSpan batch) {
  TRY_ASSIGN(BatchHeader header, BatchHeader::parse(batch));
  TRY_ASSIGN(RecordsView view, RecordsView::of_batch(header, {&batch, 1}));
  RecordReader reader(view);
  std::vector<ControlRecord> records;
  for (int32_t i = 0; i < view.record_count; i++) {
    Record record;
    std::string json;
    auto take = [&](ByteSpan part) { json.append(as_text(part)); };
    if (!reader.begin(record) || !reader.read_value(take) || !reader.end(record))
      return tl::unexpected<Error>(reader.error());
    TRY_ASSIGN(ControlRecord control, decode_control_record(json));
    records.push_back(std::move(control));
  }
  return records;
}

std::string describe(const ControlRecord& record) {
  if (auto* r = std::get_if<TopicCreated>(&record))
    return fmt::format("the topic {} was created, with {} partitions", r->topic.name, r->topic.partitions.size());
  if (auto* r = std::get_if<PartitionsAdded>(&record))
    return fmt::format("topic {} got {} partitions more", to_string(r->topic), r->partitions.size());
  if (auto* r = std::get_if<TopicDeleted>(&record)) return fmt::format("topic {} was deleted", to_string(r->topic));
  if (auto* r = std::get_if<Offloaded>(&record))
    return r->object.key.empty() ? "a part of the log needed no object"
                                 : fmt::format("{} was stored, {} bytes", r->object.key, r->object.size_bytes);
  if (auto* r = std::get_if<LogStartsMoved>(&record))
    return fmt::format("old records of {} partitions were deleted", r->starts.size());
  return encode(record);
}

}  // namespace topicfs::ctl
