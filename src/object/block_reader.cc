#include "object/block_reader.h"

#include "base/check.h"
#include "codec/crc32c.h"
#include "object/byte_cursor.h"

namespace topicfs {
namespace {

tl::unexpected<Error> corrupt(const BlockEntry& entry, const char* why) {
  return fail(Errc::kCorrupt, "block at byte " + std::to_string(entry.position) + " (partition " +
                                  std::to_string(entry.partition.v) + ", offset " +
                                  std::to_string(entry.base_offset.v) + ") " + why);
}

template <class Fits>
size_t first_that(size_t count, Fits fits) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (fits(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

}  // namespace

Result<BlockReader> BlockReader::open(const BlockEntry& entry, ByteSpan bytes) {
  return open(entry, bytes, crc32c(bytes));
}

Result<BlockReader> BlockReader::open(const BlockEntry& entry, ByteSpan bytes, uint32_t crc) {
  if (bytes.size() != entry.size) return corrupt(entry, "has another size than the footer says");
  if (crc != entry.crc) return corrupt(entry, "has a wrong checksum");
  ByteReader r(bytes);
  auto magic = r.take<uint32_t>(), partition = r.take<uint32_t>(), count = r.take<uint32_t>(), reserved = r.take<uint32_t>();
  if (r.failed() || magic != kBlockMagic || reserved != 0) return corrupt(entry, "has a malformed header");
  if (partition != entry.partition.v || count != entry.batches || count == 0)
    return corrupt(entry, "is not the one that the footer names");
  if (count > r.left() / kBatchEntryBytes) return corrupt(entry, "claims more batches than it has");

  Offset offset = entry.base_offset;
  TextPosition text = entry.text_position;
  uint64_t end_of_last = kBlockHeaderBytes + uint64_t{count} * kBatchEntryBytes;
  for (uint32_t i = 0; i < count; i++) {
    Offset base(r.take<int64_t>()), end(r.take<int64_t>());
    TextPosition text_position(r.take<int64_t>());
    auto text_length = r.take<uint64_t>();
    auto position = r.take<uint32_t>();
    r.take<uint32_t>();  // flags
    bool starts = i == 0 ? base == offset && text_position == text && position == end_of_last
                         : base >= offset && text_position >= text && position > end_of_last;
    if (!starts || end <= base || text_position > entry.text_end() ||
        text_length > static_cast<uint64_t>(entry.text_end() - text_position))
      return corrupt(entry, "has batches that overlap or are out of order");
    offset = end;
    text = text_position + static_cast<int64_t>(text_length);
    end_of_last = position;
  }
  if (end_of_last >= bytes.size() || offset != entry.end_offset || text != entry.text_end())
    return corrupt(entry, "does not end where the footer says");
  return BlockReader(bytes, count);
}

BatchView BlockReader::operator[](size_t i) const {
  MUST(i < count_);
  auto entry_at = [&](size_t n) { return bytes_.subspan(kBlockHeaderBytes + n * kBatchEntryBytes, kBatchEntryBytes); };
  auto position_of = [&](size_t n) { return n < count_ ? load_be<uint32_t>(entry_at(n).data() + 32) : bytes_.size(); };
  ByteReader r(entry_at(i));
  BatchView b;
  b.base_offset = Offset(r.take<int64_t>()), b.end_offset = Offset(r.take<int64_t>());
  b.text_position = TextPosition(r.take<int64_t>());
  b.text_length = r.take<uint64_t>();
  size_t position = r.take<uint32_t>();
  b.flags = r.take<uint32_t>();
  b.bytes = bytes_.subspan(position, position_of(i + 1) - position);
  return b;
}

size_t BlockReader::find(Offset offset) const {
  return first_that(count_, [&](size_t i) { return (*this)[i].end_offset > offset; });
}

size_t BlockReader::find(TextPosition position) const {
  return first_that(count_, [&](size_t i) { return (*this)[i].text_end() > position; });
}

}  // namespace topicfs
