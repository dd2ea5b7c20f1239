// ByteSource: a stream of bytes that is pulled in windows. Decompression delivers one; parsers
// read from one, so that they need not know whether their bytes were compressed or in pieces.
#pragma once

#include <topicfs/result.h>
#include <topicfs/types.h>

#include <span>

namespace topicfs {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// The next bytes, which stay where they are until the next call; empty at the end of the
  /// stream. After an error or the end, don't call again.
  virtual Result<ByteSpan> next() = 0;
};

/// `size` bytes of a gather list, from its byte `begin` on, without a copy. Less if the list is
/// shorter. The list and what it refers to outlive the source.
class PiecesSource final : public ByteSource {
 public:
  PiecesSource(std::span<const ByteSpan> pieces, size_t begin, size_t size);
  explicit PiecesSource(std::span<const ByteSpan> pieces);

  Result<ByteSpan> next() override { return take(); }
  /// next(), which never fails here.
  ByteSpan take();
  size_t remaining() const { return remaining_; }

 private:
  std::span<const ByteSpan> pieces_;
  size_t begin_ = 0;  // in the first of pieces_
  size_t remaining_ = 0;
};

/// Copies the bytes [begin, begin + to.size()) of a gather list; false if it is shorter.
bool copy_from_pieces(std::span<const ByteSpan> pieces, size_t begin, MutableByteSpan to);

size_t total_size(std::span<const ByteSpan> pieces);

}  // namespace topicfs
