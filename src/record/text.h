// The text view of a batch: each record's value and a newline, without the newline for a record
// marked partial; nothing for a control batch. Rendered by window, because readers ask by position.
//
// Rendering never trusts the bytes: a batch that does not yield the text length it was counted to
// have gives kCorrupt, or what was asked for if the damage lies behind it. Records in front of the
// window are gone through, not copied; those of a compressed batch are decompressed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "record/records.h"

namespace topicfs {

/// Writes the text of `records` from its byte `skip` on to `out`, as much as there is or fits, and
/// returns how many bytes. `text_size_bytes` is the length of the whole text, as counted when the
/// batch was appended; `skip` is at most that. kCorrupt, kFull (memory for decompression).
Result<size_t> render_text(const RecordsView& records, uint64_t text_size_bytes, uint64_t skip,
                           MutableByteSpan out);

/// The text of one read, gathered from several batches: large values of uncompressed batches stay
/// where they are, everything else is rendered into a buffer of its own.
class TextGather {
 public:
  /// Shorter stretches of a value are copied.
  static constexpr size_t kMinDirectBytes = 2 << 10;
  /// No more pieces than this, half of what writev(2) takes: then large values are copied too.
  static constexpr size_t kMaxPieces = 512;

  explicit TextGather(size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Adds the text of `records` from its byte `skip` on, as much as still fits. After an error the
  /// text added before is intact. Pieces may point into `records.pieces`' memory.
  Result<void> add(const RecordsView& records, uint64_t text_size_bytes, uint64_t skip);
  /// Adds bytes as they are, which are copied; what does not fit is left out.
  void add_copy(ByteSpan bytes);

  std::span<const ByteSpan> pieces() const { return pieces_; }
  size_t size() const { return size_; }
  bool is_full() const { return size_ == max_bytes_; }
  /// The result, and the buffer that some of its pieces point into; the gather is over.
  std::vector<ByteSpan> take_pieces() { return std::move(pieces_); }
  std::unique_ptr<std::byte[]> take_buffer() { return std::move(buffer_); }

 private:
  void copy(ByteSpan bytes);
  void direct_or_copy(ByteSpan bytes);

  size_t max_bytes_;
  size_t size_ = 0;
  std::vector<ByteSpan> pieces_;
  std::unique_ptr<std::byte[]> buffer_;  // max_bytes_ long, from the first copy on
  size_t buffer_used_ = 0;
};

}  // namespace topicfs
