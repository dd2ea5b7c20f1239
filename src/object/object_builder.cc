#include "object/object_builder.h"

#include <algorithm>

#include "base/check.h"
#include "codec/crc32c.h"
#include "object/byte_cursor.h"

namespace topicfs {
namespace {

/// Join what lies side by side in memory: fewer pieces to write.
void append_piece(std::vector<ByteSpan>& pieces, ByteSpan piece) {
  if (piece.empty()) return;
  if (!pieces.empty() && pieces.back().data() + pieces.back().size() == piece.data())
    pieces.back() = {pieces.back().data(), pieces.back().size() + piece.size()};
  else pieces.push_back(piece);
}

std::string described(const StoredBatch& b) {
  return "the batch of partition " + std::to_string(b.partition.v) + " at offset " + std::to_string(b.base_offset.v);
}

}  // namespace

void ObjectBuilder::name_partition(PartitionId id, const Uuid& topic, std::string_view topic_name, int32_t index) {
  names_.push_back({topic, std::string(topic_name), index, id});
}

void ObjectBuilder::add(const StoredBatch& batch, std::span<const ByteSpan> pieces, std::optional<uint32_t> crc) {
  Batch b{batch, pieces_.size(), 0, 0, crc};
  for (ByteSpan piece : pieces) pieces_.push_back(piece), b.size += piece.size();
  b.pieces = pieces_.size() - b.first_piece;
  payload_bytes_ += b.size;
  batches_.push_back(b);
}

Result<BuiltObject> ObjectBuilder::build() {
  TRY(sort_and_check());
  TRY_ASSIGN(auto blocks, cut_into_blocks());
  BuiltObject object;
  object.footer.facts = facts_;
  TRY(make_names(object.footer));
  object.footer.blocks.resize(blocks.size());  // for its size; filled below

  size_t indexes = blocks.size() * kBlockHeaderBytes + batches_.size() * kBatchEntryBytes;
  size_t footer_size = object.footer.encoded_size();
  if (footer_size > kMaxFooterBytes)
    return fail(Errc::kTooLarge, "an object with " + std::to_string(blocks.size()) + " blocks has too large a footer");
  size_t own_size = kObjectHeaderBytes + indexes + footer_size + kTrailerBytes;
  object.own = std::make_unique<std::byte[]>(own_size);
  MutableByteSpan room(object.own.get(), own_size);
  auto claim = [&room](size_t n) {
    MutableByteSpan claimed = room.first(n);
    room = room.subspan(n);
    return claimed;
  };

  object.pieces.reserve(pieces_.size() + blocks.size() + 2);
  MutableByteSpan header = claim(kObjectHeaderBytes);
  encode_object_header(facts_.store, header);
  append_piece(object.pieces, header);
  uint64_t position = header.size();
  for (size_t i = 0; i < blocks.size(); i++) {
    MutableByteSpan index = claim(kBlockHeaderBytes + blocks[i].count * kBatchEntryBytes);
    object.footer.blocks[i] = write_block(blocks[i], position, index, object.pieces);
    position += object.footer.blocks[i].size;
  }
  MutableByteSpan footer = claim(footer_size), trailer = claim(kTrailerBytes);
  object.footer.encode(footer);
  object.footer.crc = crc32c(footer);
  Trailer{position, static_cast<uint32_t>(footer_size), object.footer.crc}.encode(trailer);
  append_piece(object.pieces, footer);
  append_piece(object.pieces, trailer);
  object.size = object.footer.object_size = position + footer_size + kTrailerBytes;
  return object;
}

Result<void> ObjectBuilder::sort_and_check() {
  if (batches_.empty()) return fail(Errc::kInvalidArgument, "an object without batches");
  std::sort(batches_.begin(), batches_.end(), [](const Batch& a, const Batch& b) {
    return std::pair(a.facts.partition, a.facts.base_offset) < std::pair(b.facts.partition, b.facts.base_offset);
  });
  const StoredBatch* before = nullptr;
  for (const Batch& batch : batches_) {
    const StoredBatch& b = batch.facts;
    if (batch.size == 0 || b.base_offset.v < 0 || b.end_offset <= b.base_offset || b.text_position.v < 0 ||
        b.text_length > static_cast<uint64_t>(INT64_MAX - b.text_position.v))
      return fail(Errc::kInvalidArgument, described(b) + " is malformed");
    if (batch.size > kMaxBlockBytes - kBlockHeaderBytes - kBatchEntryBytes)
      return fail(Errc::kTooLarge, described(b) + " is too large for an object");
    if (before && before->partition == b.partition &&
        (before->end_offset > b.base_offset ||
         before->text_position + static_cast<int64_t>(before->text_length) > b.text_position))
      return fail(Errc::kInvalidArgument, described(b) + " overlaps the one before");
    before = &b;
  }
  return {};
}

Result<std::vector<ObjectBuilder::Block>> ObjectBuilder::cut_into_blocks() const {
  std::vector<Block> blocks;
  uint64_t payload = 0;
  for (size_t i = 0; i < batches_.size(); i++) {
    bool fits = i > 0 && batches_[i - 1].facts.partition == batches_[i].facts.partition &&
                payload < kBlockTargetBytes && payload + batches_[i].size <= kBlockPayloadMax;
    if (!fits) blocks.push_back({i, 0}), payload = 0;
    blocks.back().count++;
    payload += batches_[i].size;
  }
  return blocks;
}

/// The topics and partitions that have batches, ascending; names of others are left out.
Result<void> ObjectBuilder::make_names(Footer& footer) const {
  std::vector<const Name*> used;
  for (const Name& name : names_) {
    auto has = std::partition_point(batches_.begin(), batches_.end(),
                                    [&](const Batch& b) { return b.facts.partition < name.id; });
    if (has != batches_.end() && has->facts.partition == name.id) used.push_back(&name);
  }
  for (const Name* name : used) footer.topics.push_back({name->topic, name->topic_name});
  auto by_id = [](const TopicName& a, const TopicName& b) { return a.id < b.id; };
  std::stable_sort(footer.topics.begin(), footer.topics.end(), by_id);
  footer.topics.erase(std::unique(footer.topics.begin(), footer.topics.end(),
                                  [](auto& a, auto& b) { return a.id == b.id; }),
                      footer.topics.end());
  for (const Name* name : used) {
    auto topic = std::lower_bound(footer.topics.begin(), footer.topics.end(), TopicName{name->topic, ""}, by_id);
    footer.partitions.push_back({name->id, static_cast<uint32_t>(topic - footer.topics.begin()), name->index});
  }
  std::sort(footer.partitions.begin(), footer.partitions.end(), [](auto& a, auto& b) { return a.id < b.id; });
  for (size_t i = 1; i < footer.partitions.size(); i++) {
    if (footer.partitions[i - 1].id == footer.partitions[i].id)
      return fail(Errc::kInvalidArgument, "partition " + std::to_string(footer.partitions[i].id.v) + " is named twice");
  }
  for (const Batch& batch : batches_) {
    if (!footer.find(batch.facts.partition)) return fail(Errc::kInvalidArgument, described(batch.facts) + " has no name");
  }
  return {};
}

BlockEntry ObjectBuilder::write_block(const Block& block, uint64_t position, MutableByteSpan index,
                                      std::vector<ByteSpan>& out) const {
  const StoredBatch& first = batches_[block.first].facts;
  const StoredBatch& last = batches_[block.first + block.count - 1].facts;
  BlockEntry entry;
  entry.partition = first.partition;
  entry.batches = static_cast<uint32_t>(block.count);
  entry.base_offset = first.base_offset, entry.end_offset = last.end_offset;
  entry.text_position = first.text_position;
  entry.text_length = static_cast<uint64_t>(last.text_position - first.text_position) + last.text_length;
  entry.first_timestamp = first.first_timestamp;
  entry.position = position;

  ByteWriter w(index);
  w.put(kBlockMagic), w.put(first.partition.v), w.put(entry.batches), w.put(uint32_t{0});
  uint64_t at = index.size();
  for (size_t i = block.first; i < block.first + block.count; i++) {
    const StoredBatch& b = batches_[i].facts;
    w.put(b.base_offset.v), w.put(b.end_offset.v), w.put(b.text_position.v), w.put(b.text_length);
    w.put(static_cast<uint32_t>(at)), w.put(b.flags);
    entry.max_timestamp = std::max(entry.max_timestamp, b.max_timestamp);
    at += batches_[i].size;
  }
  MUST(w.written() == index.size() && at <= kMaxBlockBytes);
  entry.size = static_cast<uint32_t>(at);

  append_piece(out, index);
  entry.crc = crc32c(index);
  for (size_t i = block.first; i < block.first + block.count; i++) {
    const Batch& batch = batches_[i];
    std::span<const ByteSpan> pieces = std::span(pieces_).subspan(batch.first_piece, batch.pieces);
    entry.crc = batch.crc ? crc32c_combine(entry.crc, *batch.crc, batch.size) : crc32c(pieces, entry.crc);
    for (ByteSpan piece : pieces) append_piece(out, piece);
  }
  return entry;
}

}  // namespace topicfs
