// A checkpoint: topics, objects, extents, leader epochs, consumer groups, idempotent producers.
#include "base/random.h"
#include "dump/dump.h"
#include "metadata/checkpoint.h"

namespace topicfs::dump {
namespace {

Result<void> ended(Printer& out) {
  if (out.end()) return {};
  return fail(Errc::kClosed, "the output is closed");
}

void put_position(Printer& out, const std::string& name, wal::LogPosition p) {
  out.put(name + "_segment", p.segment());
  out.put(name + "_byte", p.byte());
}

Result<void> print_object(const StoredObject& o, Printer& out) {
  out.begin("object", 1);
  out.put("key", o.key);
  put_position(out, "log_from", o.from);
  put_position(out, "log_to", o.to);
  out.put("bytes", o.size_bytes);
  out.put("footer_crc", o.footer_crc);
  return ended(out);
}

Result<void> print_partition(const Checkpoint& c, const Checkpoint::PartitionState& p, Printer& out) {
  out.begin("partition", 1);
  out.put("partition", p.id.v);
  out.put("log_start", p.state.log_start.v);
  out.put("end", p.state.end.v);
  out.put("text_start", p.state.text_start.v);
  out.put("text_end", p.state.text_end.v);
  out.put("modified", p.state.modified.count());
  TRY(ended(out));
  for (const Extent& e : p.state.extents) {
    out.begin("extent", 2);
    out.put("offset", e.base.v);
    out.put("end_offset", e.end.v);
    out.put("text_position", e.text.v);
    out.put("text_end", e.text_end.v);
    out.put("max_timestamp", e.max_timestamp);
    out.put("bytes", e.bytes);
    out.put("object", c.objects[e.object].key);
    TRY(ended(out));
  }
  for (const EpochStart& e : p.state.epochs) {
    out.begin("leader_epoch", 2);
    out.put("epoch", int64_t{e.epoch});
    out.put("start", e.start.v);
    TRY(ended(out));
  }
  return {};
}

Result<void> print_producer(const ProducerState& p, Printer& out) {
  out.begin("producer", 1);
  out.put("partition", p.partition.v);
  out.put("id", p.id);
  out.put("epoch", int64_t{p.epoch});
  out.put("last_used", p.last_used.count());
  TRY(ended(out));
  for (const ProducerBatch& b : p.batches) {
    out.begin("batch", 2);
    out.put("first_sequence", int64_t{b.first_sequence});
    out.put("last_sequence", int64_t{b.last_sequence});
    out.put("offset", b.offset.v);
    out.put("timestamp", b.timestamp);
    TRY(ended(out));
  }
  return {};
}

}  // namespace

Result<void> dump_checkpoint(Source& source, Printer& out) {
  if (source.size_bytes() > kMaxCheckpointBytes) return fail(Errc::kUnsupported, "no checkpoint is that large");
  TRY_ASSIGN(auto bytes, source.read(0, source.size_bytes()));
  TRY_ASSIGN(Checkpoint c, decode_checkpoint(bytes));
  out.begin("checkpoint");
  out.put("store", to_string(c.store));
  out.put("epoch", c.epoch);
  out.put("sequence", c.sequence);
  put_position(out, "log_from", c.log_from);
  out.put("control_end", c.control_end.v);
  out.put("next_topic", c.next_topic);
  out.put("next_partition", c.next_partition);
  TRY(ended(out));
  for (const TopicInfo& t : c.topics) {
    out.begin("topic", 1);
    out.put_json("record", encode_topic(t));
    TRY(ended(out));
  }
  for (const StoredObject& o : c.objects) TRY(print_object(o, out));
  for (const auto& p : c.partitions) TRY(print_partition(c, p, out));
  for (const GroupRecord& g : c.groups) {
    out.begin("group", 1);
    out.put_json("record", encode_group_record(g));
    TRY(ended(out));
  }
  for (const ProducerState& p : c.producers) TRY(print_producer(p, out));
  return {};
}

}  // namespace topicfs::dump
