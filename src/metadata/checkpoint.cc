#include "metadata/checkpoint.h"

#include <cstring>

#include "codec/crc32c.h"

namespace topicfs {
namespace {

constexpr size_t kHeaderBytes = 24;

class Writer {
 public:
  template <class T>
  void put(T value) {
    const auto* p = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), p, p + sizeof value);
  }
  void bytes(ByteSpan b) { out.insert(out.end(), b.begin(), b.end()); }
  void text(std::string_view t) {
    put(static_cast<uint32_t>(t.size()));
    bytes(as_byte_span(t));
  }
  std::vector<std::byte> out;
};

/// Reads what Writer wrote; past the end everything is 0 and `ok` is false.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : left_(bytes) {}
  template <class T>
  T get() {
    T value{};
    if (left_.size() < sizeof value) return ok = false, left_ = {}, value;
    std::memcpy(&value, left_.data(), sizeof value);
    left_ = left_.subspan(sizeof value);
    return value;
  }
  std::string text() {
    auto n = get<uint32_t>();
    if (n > left_.size()) return ok = false, std::string();
    std::string t(as_text(left_.first(n)));
    left_ = left_.subspan(n);
    return t;
  }
  /// A count of things that take at least `each` bytes, so that it cannot ask for more than is there.
  uint32_t count(size_t each) {
    auto n = get<uint32_t>();
    if (n > left_.size() / each) return ok = false, 0;
    return n;
  }
  bool at_end() const { return left_.empty(); }
  bool ok = true;

 private:
  ByteSpan left_;
};

void write(Writer& w, const StoredObject& o) {
  w.text(o.key);
  w.put(o.epoch), w.put(o.sequence), w.put(o.from.v), w.put(o.to.v), w.put(o.size_bytes), w.put(o.footer_crc);
}

StoredObject read_object(Reader& r) {
  StoredObject o;
  o.key = r.text();
  o.epoch = r.get<uint64_t>(), o.sequence = r.get<uint64_t>();
  o.from = {r.get<uint64_t>()}, o.to = {r.get<uint64_t>()};
  o.size_bytes = r.get<uint64_t>(), o.footer_crc = r.get<uint32_t>();
  return o;
}

void write(Writer& w, const Checkpoint::PartitionState& p) {
  const SavedPartition& s = p.state;
  w.put(p.id.v), w.put(s.log_start.v), w.put(s.end.v), w.put(s.text_start.v), w.put(s.text_end.v);
  w.put(s.modified.count());
  w.put(static_cast<uint32_t>(s.extents.size()));
  for (const Extent& e : s.extents) {
    w.put(e.base.v), w.put(e.end.v), w.put(e.text.v), w.put(e.text_end.v), w.put(e.max_timestamp), w.put(e.bytes);
    w.put(e.object);
  }
  w.put(static_cast<uint32_t>(s.epochs.size()));
  for (const EpochStart& e : s.epochs) w.put(e.epoch), w.put(e.start.v);
}

Checkpoint::PartitionState read_partition(Reader& r, size_t objects) {
  Checkpoint::PartitionState p;
  SavedPartition& s = p.state;
  p.id = PartitionId(r.get<uint32_t>());
  s.log_start = Offset(r.get<int64_t>()), s.end = Offset(r.get<int64_t>());
  s.text_start = TextPosition(r.get<int64_t>()), s.text_end = TextPosition(r.get<int64_t>());
  s.modified = WallMilliseconds(r.get<int64_t>());
  uint32_t extents = r.count(6 * 8 + 4);
  s.extents.reserve(extents);
  for (uint32_t i = 0; i < extents; i++) {
    Extent e;
    e.base = Offset(r.get<int64_t>()), e.end = Offset(r.get<int64_t>());
    e.text = TextPosition(r.get<int64_t>()), e.text_end = TextPosition(r.get<int64_t>());
    e.max_timestamp = r.get<int64_t>(), e.bytes = r.get<int64_t>(), e.object = r.get<uint32_t>();
    bool in_order = s.extents.empty() || (s.extents.back().end <= e.base && s.extents.back().text_end <= e.text);
    if (e.end <= e.base || e.text_end < e.text || e.object >= objects || !in_order || e.end > s.end) r.ok = false;
    s.extents.push_back(e);
  }
  uint32_t epochs = r.count(4 + 8);
  s.epochs.reserve(epochs);
  for (uint32_t i = 0; i < epochs; i++) {
    EpochStart e{r.get<int32_t>(), Offset(r.get<int64_t>())};
    bool in_order = s.epochs.empty() || (s.epochs.back().epoch < e.epoch && s.epochs.back().start <= e.start);
    if (e.epoch < 0 || !in_order || e.start > s.end) r.ok = false;
    s.epochs.push_back(e);
  }
  // Beyond the end: what was not offloaded yet, and now need not be, is deleted.
  if (s.log_start < Offset(0) || s.text_start < TextPosition(0)) r.ok = false;
  return p;
}

void write(Writer& w, const ProducerState& p) {
  w.put(p.partition.v), w.put(p.id), w.put(p.epoch), w.put(static_cast<uint16_t>(p.batches.size()));
  w.put(p.last_used.count());
  for (const ProducerBatch& b : p.batches)
    w.put(b.first_sequence), w.put(b.last_sequence), w.put(b.offset.v), w.put(b.timestamp);
}

ProducerState read_producer(Reader& r) {
  ProducerState p;
  p.partition = PartitionId(r.get<uint32_t>());
  p.id = r.get<int64_t>(), p.epoch = r.get<int16_t>();
  auto batches = r.get<uint16_t>();
  p.last_used = WallMilliseconds(r.get<int64_t>());
  if (p.id < 0 || batches == 0 || batches > kRememberedBatches) return r.ok = false, p;
  for (uint16_t i = 0; i < batches; i++) {
    ProducerBatch b{r.get<int32_t>(), r.get<int32_t>(), Offset(r.get<int64_t>()), r.get<int64_t>()};
    if (b.first_sequence < 0 || b.last_sequence < 0 || b.offset < Offset(0)) r.ok = false;
    p.batches.push_back(b);
  }
  return p;
}

Result<Checkpoint> decode_body(ByteSpan body) {
  Reader r(body);
  Checkpoint c;
  c.store = r.get<Uuid>();
  c.epoch = r.get<uint64_t>(), c.sequence = r.get<uint64_t>();
  c.log_from = {r.get<uint64_t>()}, c.control_end = Offset(r.get<int64_t>());
  c.next_topic = r.get<uint32_t>(), c.next_partition = r.get<uint32_t>();
  for (uint32_t n = r.count(4); n > 0 && r.ok; n--) {
    TRY_ASSIGN(ControlRecord record, decode_control_record(r.text()));
    auto* topic = std::get_if<TopicCreated>(&record);
    if (!topic) return fail(Errc::kCorrupt, "a checkpoint holds something else where a topic should be");
    c.topics.push_back(std::move(topic->topic));
  }
  for (uint32_t n = r.count(4 + 5 * 8 + 4); n > 0 && r.ok; n--) c.objects.push_back(read_object(r));
  for (uint32_t n = r.count(4 + 5 * 8 + 2 * 4); n > 0 && r.ok; n--) {
    c.partitions.push_back(read_partition(r, c.objects.size()));
    if (c.partitions.size() > 1 && c.partitions[c.partitions.size() - 2].id >= c.partitions.back().id) r.ok = false;
  }
  for (uint32_t n = r.count(4); n > 0 && r.ok; n--) {
    TRY_ASSIGN(auto record, decode_group_record(r.text()));
    if (!record) return fail(Errc::kCorrupt, "a checkpoint holds something else where a consumer group should be");
    c.groups.push_back(std::move(*record));
  }
  for (uint32_t n = r.count(4 + 8 + 2 + 2 + 8 + 24); n > 0 && r.ok; n--) c.producers.push_back(read_producer(r));
  if (!r.ok || !r.at_end()) return fail(Errc::kCorrupt, "a checkpoint says what cannot be");
  return c;
}

}  // namespace

std::vector<std::byte> encode(const Checkpoint& c) {
  Writer w;
  w.put(kCheckpointMagic), w.put(kCheckpointVersion), w.put(uint32_t{0}), w.put(uint64_t{0});
  w.put(c.store), w.put(c.epoch), w.put(c.sequence), w.put(c.log_from.v), w.put(c.control_end.v);
  w.put(c.next_topic), w.put(c.next_partition);
  w.put(static_cast<uint32_t>(c.topics.size()));
  for (const TopicInfo& t : c.topics) w.text(encode_topic(t));
  w.put(static_cast<uint32_t>(c.objects.size()));
  for (const StoredObject& o : c.objects) write(w, o);
  w.put(static_cast<uint32_t>(c.partitions.size()));
  for (const auto& p : c.partitions) write(w, p);
  w.put(static_cast<uint32_t>(c.groups.size()));
  for (const GroupRecord& g : c.groups) w.text(encode_group_record(g));
  w.put(static_cast<uint32_t>(c.producers.size()));
  for (const ProducerState& p : c.producers) write(w, p);
  uint64_t body = w.out.size() - kHeaderBytes;
  std::memcpy(w.out.data() + 16, &body, sizeof body);
  w.put(crc32c(w.out));
  return std::move(w.out);
}

Result<Checkpoint> decode_checkpoint(ByteSpan bytes) {
  Reader r(bytes);
  if (r.get<uint64_t>() != kCheckpointMagic) return fail(Errc::kCorrupt, "this is not a checkpoint");
  auto version = r.get<uint32_t>();
  if (version != kCheckpointVersion)
    return fail(Errc::kUnsupported, "checkpoint version " + std::to_string(version) + " is not known");
  r.get<uint32_t>();
  auto body = r.get<uint64_t>();
  if (!r.ok || bytes.size() != kHeaderBytes + body + 4) return fail(Errc::kCorrupt, "a checkpoint is cut off");
  uint32_t crc;
  std::memcpy(&crc, bytes.data() + bytes.size() - 4, sizeof crc);
  if (crc != crc32c(bytes.first(bytes.size() - 4))) return fail(Errc::kCorrupt, "a checkpoint fails its checksum");
  return decode_body(bytes.subspan(kHeaderBytes, body));
}

}  // namespace topicfs
