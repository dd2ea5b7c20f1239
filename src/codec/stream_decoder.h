// Inside src/codec: what each compression library does, one step at a time. The driver in
// compression.cc feeds it, counts, and notices streams that end too soon or stand still.
#pragma once

#include <memory>

#include "codec/compression.h"

namespace topicfs::codec_detail {

struct Step {
  size_t consumed = 0;
  size_t produced = 0;
  bool frame_done = false;  ///< the input may end here
};

class StreamDecoder {
 public:
  virtual ~StreamDecoder() = default;
  /// Decode some of `in`, which may be empty (then only what is left inside comes), into `out`,
  /// which is not. kCorrupt, kTooLarge (window), kFull.
  virtual Result<Step> step(ByteSpan in, MutableByteSpan out) = 0;
};

/// A private copy of the next bytes of the input.
class StagedInput {
 public:
  explicit StagedInput(PiecesSource input);
  ByteSpan bytes() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void consume(size_t n) { begin_ += n; }
  /// Copies more in until at least `wanted` bytes are there, or all that the input has.
  void fill(size_t wanted);
  /// What is staged and what is not yet.
  size_t remaining() const { return end_ - begin_ + window_.size() + input_.remaining(); }

 private:
  PiecesSource input_;
  ByteSpan window_;  // of the input, not yet copied
  std::unique_ptr<std::byte[]> buffer_;
  size_t begin_ = 0, end_ = 0;
};

std::unique_ptr<StreamDecoder> open_gzip();
std::unique_ptr<StreamDecoder> open_lz4();
std::unique_ptr<StreamDecoder> open_zstd();
std::unique_ptr<ByteSource> open_snappy(PiecesSource input, uint64_t max_output_bytes);

tl::unexpected<Error> undecodable(Codec codec, std::string_view why);
tl::unexpected<Error> output_too_large(Codec codec, uint64_t max_output_bytes);
tl::unexpected<Error> no_memory(Codec codec);

}  // namespace topicfs::codec_detail
