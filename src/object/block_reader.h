// BlockReader: the batches of one block that was read from an object.
#pragma once

#include <optional>

#include <topicfs/result.h>

#include "object/format.h"

namespace topicfs {

struct BatchView {
  Offset base_offset, end_offset;
  TextPosition text_position;
  uint64_t text_length = 0;
  uint32_t flags = 0;  ///< as given to the ObjectBuilder
  ByteSpan bytes;      ///< a RecordBatch v2

  TextPosition text_end() const { return text_position + static_cast<int64_t>(text_length); }
};

/// Refers to the block's bytes, which must stay. A value; const calls from any thread.
class BlockReader {
 public:
  /// Check the bytes against their entry in the footer, checksum and every batch entry. kCorrupt.
  static Result<BlockReader> open(const BlockEntry& entry, ByteSpan bytes);
  /// The same where `crc` of the bytes is known already.
  static Result<BlockReader> open(const BlockEntry& entry, ByteSpan bytes, uint32_t crc);

  size_t size() const { return count_; }  ///< batches
  size_t size_bytes() const { return bytes_.size(); }
  BatchView operator[](size_t i) const;
  /// The first batch that ends behind the position: the one that holds it, or the next one after a
  /// gap. size() if there is none.
  size_t find(Offset offset) const;
  size_t find(TextPosition position) const;

 private:
  BlockReader(ByteSpan bytes, size_t count) : bytes_(bytes), count_(count) {}

  ByteSpan bytes_;
  size_t count_ = 0;
};

}  // namespace topicfs
