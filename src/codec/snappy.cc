// Snappy in both of Kafka's forms: raw (librdkafka and others write one block), and the framing of
// Xerial's snappy-java, which Kafka's own clients write:
//
//   stream := 82 'S' 'N' 'A' 'P' 'P' 'Y' 00, version: int32, compatible version: int32, block*
//   block  := size: int32, raw snappy of that size                  (integers are big-endian)
//   raw    := decoded length: unsigned varint, elements
#include <snappy-sinksource.h>
#include <snappy.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "codec/endian.h"
#include "codec/stream_decoder.h"
#include "codec/varint.h"

namespace topicfs::codec_detail {
namespace {

constexpr std::array<uint8_t, 8> kXerialMagic{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
constexpr size_t kXerialHeaderBytes = 16;
constexpr size_t kBlockSizeBytes = 4;
// The densest element turns 3 bytes into 64; a block that claims more is refused unallocated.
constexpr uint64_t kMaxExpansion = 22;

/// One block of the staged input, as the library reads it.
class BlockSource final : public snappy::Source {
 public:
  BlockSource(StagedInput& input, size_t size) : input_(input), left_(size) {}
  size_t Available() const override { return left_; }
  const char* Peek(size_t* size) override {
    input_.fill(1);
    *size = std::min(left_, input_.bytes().size());
    return reinterpret_cast<const char*>(input_.bytes().data());
  }
  void Skip(size_t n) override {
    n = std::min({n, left_, input_.bytes().size()});
    input_.consume(n);
    left_ -= n;
  }

 private:
  StagedInput& input_;
  size_t left_;
};

class SnappyDecompressor final : public ByteSource {
 public:
  SnappyDecompressor(PiecesSource input, uint64_t max_output_bytes)
      : input_(input), max_output_bytes_(max_output_bytes) {}

  Result<ByteSpan> next() override {
    if (!started_) {
      started_ = true;
      TRY(start());
      if (!framed_) return decode(input_.remaining());
    }
    while (framed_ && input_.remaining() != 0) {
      input_.fill(kBlockSizeBytes);
      if (input_.bytes().size() < kBlockSizeBytes)
        return undecodable(Codec::snappy, "a block size is cut off");
      const uint32_t size = load_be<uint32_t>(input_.bytes().data());
      input_.consume(kBlockSizeBytes);
      if (size > input_.remaining()) return undecodable(Codec::snappy, "a block is cut off");
      TRY_ASSIGN(ByteSpan block, decode(size));
      if (!block.empty()) return block;
    }
    return ByteSpan{};
  }

 private:
  Result<void> start() {
    input_.fill(kXerialHeaderBytes);
    const ByteSpan head = input_.bytes();
    framed_ = head.size() >= kXerialMagic.size() &&
              std::memcmp(head.data(), kXerialMagic.data(), kXerialMagic.size()) == 0;
    if (!framed_) return {};
    if (head.size() < kXerialHeaderBytes) return undecodable(Codec::snappy, "the header is cut off");
    input_.consume(kXerialHeaderBytes);
    return {};
  }

  /// The next `size` bytes of the input, which are there, are one raw block.
  Result<ByteSpan> decode(size_t size) {
    input_.fill(std::min(size, kMaxVarintBytes));
    const std::byte* head = input_.bytes().data();
    uint32_t length = 0;
    if (!decode_uvarint(head, head + std::min(size, kMaxVarintBytes), length) ||
        length > kMaxExpansion * size)
      return undecodable(Codec::snappy, "a block's length is impossible");
    total_ += length;
    if (total_ > max_output_bytes_) return output_too_large(Codec::snappy, max_output_bytes_);
    if (length > kMaxSnappyBlockBytes) return output_too_large(Codec::snappy, kMaxSnappyBlockBytes);
    if (length > capacity_) {
      block_ = std::make_unique_for_overwrite<std::byte[]>(length);
      capacity_ = length;
    }
    BlockSource source(input_, size);
    char nothing = 0;
    char* out = length == 0 ? &nothing : reinterpret_cast<char*>(block_.get());
    if (!snappy::RawUncompress(&source, out) || source.Available() != 0)
      return undecodable(Codec::snappy, "bad data");
    return ByteSpan(block_.get(), length);
  }

  StagedInput input_;
  uint64_t max_output_bytes_;
  uint64_t total_ = 0;
  std::unique_ptr<std::byte[]> block_;
  size_t capacity_ = 0;
  bool started_ = false, framed_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_snappy(PiecesSource input, uint64_t max_output_bytes) {
  return std::make_unique<SnappyDecompressor>(input, max_output_bytes);
}

}  // namespace topicfs::codec_detail
