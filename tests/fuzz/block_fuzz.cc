// A block of an object, as a hostile store may send it, with the checksum put right. Input: an
// entry of the footer (its timestamps, position, size and checksum count for nothing), the block.
#include <cstdint>

#include "base/check.h"
#include "codec/endian.h"
#include "object/block_reader.h"

using namespace topicfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < kBlockEntryBytes) return 0;
  const auto* in = reinterpret_cast<const std::byte*>(data);
  ByteSpan bytes(in + kBlockEntryBytes, size - kBlockEntryBytes);
  BlockEntry entry;
  entry.partition = PartitionId(load_be<uint32_t>(in));
  entry.batches = load_be<uint32_t>(in + 4);
  entry.base_offset = Offset(load_be<int64_t>(in + 8));
  entry.end_offset = Offset(load_be<int64_t>(in + 16));
  entry.text_position = TextPosition(load_be<int64_t>(in + 24));
  entry.text_length = load_be<uint64_t>(in + 32);
  entry.size = static_cast<uint32_t>(bytes.size());
  // As Footer::parse has checked them.
  if (entry.base_offset.v < 0 || entry.end_offset <= entry.base_offset || entry.text_position.v < 0 ||
      entry.text_length > static_cast<uint64_t>(INT64_MAX - entry.text_position.v))
    return 0;
  auto block = BlockReader::open(entry, bytes, entry.crc);
  if (!block) return 0;

  uint64_t payload = 0;
  Offset offset = entry.base_offset;
  for (size_t i = 0; i < block->size(); i++) {
    BatchView batch = (*block)[i];
    MUST(batch.base_offset >= offset && batch.end_offset > batch.base_offset && batch.text_end() <= entry.text_end());
    MUST(!batch.bytes.empty() && batch.bytes.data() >= bytes.data() &&
         batch.bytes.data() + batch.bytes.size() <= bytes.data() + bytes.size());
    MUST(block->find(batch.base_offset) == i && block->find(batch.end_offset) == i + 1);
    MUST(batch.text_length == 0 || block->find(batch.text_position) == i);
    offset = batch.end_offset;
    payload += batch.bytes.size();
  }
  MUST(offset == entry.end_offset && payload == bytes.size() - kBlockHeaderBytes - block->size() * kBatchEntryBytes);
  return 0;
}
