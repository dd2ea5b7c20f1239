#include "object/format.h"

#include <algorithm>

#include <topicfs/catalog.h>

#include "codec/crc32c.h"
#include "object/byte_cursor.h"

namespace topicfs {
namespace {

constexpr size_t kHeaderCrcAt = 12, kTrailerCrcAt = 20;

tl::unexpected<Error> corrupt(const std::string& why) { return fail(Errc::kCorrupt, "the object's " + why); }

Result<void> check_version(uint32_t version) {
  if (version == kObjectVersion) return {};
  return fail(Errc::kUnsupported, "the object has format version " + std::to_string(version) +
                                      ", this program reads version 1; use a newer one");
}

BlockEntry take_block(ByteReader& r) {
  BlockEntry b;
  b.partition = PartitionId(r.take<uint32_t>());
  b.batches = r.take<uint32_t>();
  b.base_offset = Offset(r.take<int64_t>());
  b.end_offset = Offset(r.take<int64_t>());
  b.text_position = TextPosition(r.take<int64_t>());
  b.text_length = r.take<uint64_t>();
  b.first_timestamp = r.take<int64_t>();
  b.max_timestamp = r.take<int64_t>();
  b.position = r.take<uint64_t>();
  b.size = r.take<uint32_t>();
  b.crc = r.take<uint32_t>();
  return b;
}

void put_block(ByteWriter& w, const BlockEntry& b) {
  w.put(b.partition.v), w.put(b.batches);
  w.put(b.base_offset.v), w.put(b.end_offset.v);
  w.put(b.text_position.v), w.put(b.text_length);
  w.put(b.first_timestamp), w.put(b.max_timestamp);
  w.put(b.position), w.put(b.size), w.put(b.crc);
}

/// By itself: sizes that can be, and no sum that overflows.
bool is_sane(const BlockEntry& b) {
  if (b.batches == 0 || b.size > kMaxBlockBytes) return false;
  if (b.size < kBlockHeaderBytes || (b.size - kBlockHeaderBytes) / kBatchEntryBytes < b.batches) return false;
  if (b.base_offset.v < 0 || b.end_offset <= b.base_offset) return false;
  return b.text_position.v >= 0 && b.text_length <= static_cast<uint64_t>(INT64_MAX - b.text_position.v);
}

/// `next` may stand behind `before` in the table.
bool follows(const BlockEntry& next, const BlockEntry& before) {
  if (next.position != before.position + before.size) return false;
  if (next.partition != before.partition) return next.partition > before.partition;
  return next.base_offset >= before.end_offset && next.text_position >= before.text_end();
}

Result<void> parse_topics(ByteReader& r, uint32_t count, std::vector<TopicName>& topics) {
  if (count > r.left() / kTopicFixedBytes) return corrupt("footer claims more topics than it has");
  topics.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    TopicName topic{r.take_uuid(), ""};
    topic.name = as_text(r.take_bytes(r.take<uint16_t>()));
    if (r.failed() || !is_valid_topic_name(topic.name)) return corrupt("footer has a malformed topic");
    if (i > 0 && topic.id <= topics.back().id) return corrupt("footer has topics out of order");
    topics.push_back(std::move(topic));
  }
  return {};
}

Result<void> parse_partitions(ByteReader& r, uint32_t count, size_t topics, std::vector<PartitionName>& partitions) {
  if (count > r.left() / kPartitionEntryBytes) return corrupt("footer claims more partitions than it has");
  partitions.reserve(count);
  for (uint32_t i = 0; i < count; i++) {
    PartitionName p{PartitionId(r.take<uint32_t>()), r.take<uint32_t>(), r.take<int32_t>()};
    if (p.topic >= topics || p.index < 0) return corrupt("footer has a malformed partition");
    if (i > 0 && p.id <= partitions.back().id) return corrupt("footer has partitions out of order");
    partitions.push_back(p);
  }
  return {};
}

Result<void> parse_blocks(ByteReader& r, uint32_t count, Footer& footer, uint64_t footer_position) {
  if (r.left() != count * kBlockEntryBytes) return corrupt("footer has another size than its counts say");
  footer.blocks.reserve(count);
  uint64_t end = kObjectHeaderBytes;
  for (uint32_t i = 0; i < count; i++) {
    BlockEntry b = take_block(r);
    if (!is_sane(b) || !footer.find(b.partition)) return corrupt("footer has a malformed block");
    if (i == 0 ? b.position != end : !follows(b, footer.blocks.back()))
      return corrupt("footer has blocks that overlap or are out of order");
    end = b.position + b.size;
    footer.blocks.push_back(b);
  }
  if (end != footer_position) return corrupt("blocks do not end where its footer begins");
  return {};
}

}  // namespace

Result<Trailer> Trailer::parse(ByteSpan last, uint64_t object_size) {
  if (last.size() != kTrailerBytes || object_size < kObjectHeaderBytes + kFactsBytes + kTrailerBytes)
    return corrupt("size is too small for an object");
  if (as_text(last.last(kTrailerMagic.size())) != kTrailerMagic) return corrupt("end is not a trailer");
  ByteReader r(last);
  Trailer t;
  t.footer_position = r.take<uint64_t>();
  t.footer_size = r.take<uint32_t>();
  t.footer_crc = r.take<uint32_t>();
  auto version = r.take<uint32_t>();
  if (r.take<uint32_t>() != crc32c(last.first(kTrailerCrcAt))) return corrupt("trailer has a wrong checksum");
  TRY(check_version(version));
  if (t.footer_size < kFactsBytes || t.footer_size > kMaxFooterBytes || t.footer_position < kObjectHeaderBytes ||
      t.footer_position != object_size - kTrailerBytes - t.footer_size)
    return corrupt("trailer names a footer that is not in front of it");
  return t;
}

void Trailer::encode(MutableByteSpan to) const {
  ByteWriter w(to);
  w.put(footer_position), w.put(footer_size), w.put(footer_crc);
  w.put(kObjectVersion), w.put(crc32c(to.first(kTrailerCrcAt)));
  w.put(kTrailerMagic);
}

Result<Footer> Footer::parse(ByteSpan bytes, const Trailer& trailer) {
  if (bytes.size() != trailer.footer_size || bytes.size() > kMaxFooterBytes)
    return corrupt("footer has another size than its trailer says");
  if (crc32c(bytes) != trailer.footer_crc) return corrupt("footer has a wrong checksum");
  Footer f;
  f.crc = trailer.footer_crc;
  f.object_size = trailer.footer_position + trailer.footer_size + kTrailerBytes;
  ByteReader r(bytes);
  f.facts.store = r.take_uuid();
  f.facts.epoch = r.take<uint64_t>(), f.facts.sequence = r.take<uint64_t>();
  f.facts.log_from = r.take<uint64_t>(), f.facts.log_to = r.take<uint64_t>();
  f.facts.created = WallMilliseconds(r.take<int64_t>());
  auto topics = r.take<uint32_t>(), partitions = r.take<uint32_t>(), blocks = r.take<uint32_t>();
  auto reserved = r.take<uint32_t>();
  if (r.failed() || reserved != 0 || f.facts.log_from > f.facts.log_to) return corrupt("footer is malformed");
  TRY(parse_topics(r, topics, f.topics));
  TRY(parse_partitions(r, partitions, f.topics.size(), f.partitions));
  TRY(parse_blocks(r, blocks, f, trailer.footer_position));
  return f;
}

size_t Footer::encoded_size() const {
  size_t size = kFactsBytes + partitions.size() * kPartitionEntryBytes + blocks.size() * kBlockEntryBytes;
  for (const auto& topic : topics) size += kTopicFixedBytes + topic.name.size();
  return size;
}

void Footer::encode(MutableByteSpan to) const {
  ByteWriter w(to);
  w.put(facts.store);
  w.put(facts.epoch), w.put(facts.sequence), w.put(facts.log_from), w.put(facts.log_to);
  w.put(facts.created.count());
  w.put(static_cast<uint32_t>(topics.size())), w.put(static_cast<uint32_t>(partitions.size()));
  w.put(static_cast<uint32_t>(blocks.size())), w.put(uint32_t{0});
  for (const auto& topic : topics) {
    w.put(topic.id), w.put(static_cast<uint16_t>(topic.name.size()));
    w.put(std::string_view(topic.name));
  }
  for (const auto& p : partitions) w.put(p.id.v), w.put(p.topic), w.put(p.index);
  for (const auto& b : blocks) put_block(w, b);
  MUST(w.written() == to.size());
}

size_t Footer::memory_bytes() const {
  size_t size = sizeof *this + partitions.capacity() * sizeof(PartitionName) + blocks.capacity() * sizeof(BlockEntry);
  for (const auto& topic : topics) size += sizeof topic + topic.name.capacity();
  return size;
}

std::span<const BlockEntry> Footer::blocks_of(PartitionId partition) const {
  auto first = std::partition_point(blocks.begin(), blocks.end(), [&](auto& b) { return b.partition < partition; });
  auto last = std::partition_point(first, blocks.end(), [&](auto& b) { return b.partition == partition; });
  return {first, last};
}

const PartitionName* Footer::find(PartitionId partition) const {
  auto p = std::partition_point(partitions.begin(), partitions.end(), [&](auto& n) { return n.id < partition; });
  return p != partitions.end() && p->id == partition ? &*p : nullptr;
}

void encode_object_header(const Uuid& store, MutableByteSpan to) {
  ByteWriter w(to);
  w.put(kObjectMagic), w.put(kObjectVersion), w.put(uint32_t{0}), w.put(store);
  MUST(w.written() == kObjectHeaderBytes);
  store_be<uint32_t>(to.data() + kHeaderCrcAt, crc32c(to.first(kObjectHeaderBytes)));
}

Result<Uuid> parse_object_header(ByteSpan first) {
  if (first.size() < kObjectHeaderBytes || as_text(first.first(kObjectMagic.size())) != kObjectMagic)
    return corrupt("beginning is not an object's header");
  std::array<std::byte, kObjectHeaderBytes> copy;
  std::memcpy(copy.data(), first.data(), copy.size());
  store_be<uint32_t>(copy.data() + kHeaderCrcAt, 0);
  if (load_be<uint32_t>(first.data() + kHeaderCrcAt) != crc32c(copy)) return corrupt("header has a wrong checksum");
  ByteReader r(first.subspan(kObjectMagic.size()));
  TRY(check_version(r.take<uint32_t>()));
  r.take<uint32_t>();
  return r.take_uuid();
}

}  // namespace topicfs
