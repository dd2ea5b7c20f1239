// The driver of the stream codecs (gzip, lz4, zstd), and the choice among all.
#include "codec/compression.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/stream_decoder.h"

namespace topicfs {
namespace codec_detail {

tl::unexpected<Error> undecodable(Codec codec, std::string_view why) {
  return fail(Errc::kCorrupt, fmt::format("{} payload does not decode: {}", name_of(codec), why));
}
tl::unexpected<Error> output_too_large(Codec codec, uint64_t max_output_bytes) {
  return fail(Errc::kTooLarge,
              fmt::format("{} payload expands to more than {} bytes", name_of(codec), max_output_bytes));
}
tl::unexpected<Error> no_memory(Codec codec) {
  return fail(Errc::kFull, fmt::format("no memory to decode a {} payload", name_of(codec)));
}

StagedInput::StagedInput(PiecesSource input)
    : input_(input), buffer_(std::make_unique_for_overwrite<std::byte[]>(kDecompressStageBytes)) {}

void StagedInput::fill(size_t wanted) {
  MUST(wanted <= kDecompressStageBytes);
  if (end_ - begin_ >= wanted) return;
  std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  while (end_ < kDecompressStageBytes) {
    if (window_.empty()) window_ = input_.take();
    if (window_.empty()) return;
    const size_t n = std::min(window_.size(), kDecompressStageBytes - end_);
    std::memcpy(buffer_.get() + end_, window_.data(), n);
    end_ += n;
    window_ = window_.subspan(n);
  }
}

namespace {

class StreamDecompressor final : public ByteSource {
 public:
  StreamDecompressor(Codec codec, std::unique_ptr<StreamDecoder> decoder, PiecesSource input,
                     uint64_t max_output_bytes)
      : codec_(codec),
        decoder_(std::move(decoder)),
        input_(input),
        max_output_bytes_(max_output_bytes),
        window_(std::make_unique_for_overwrite<std::byte[]>(kDecompressWindowBytes)) {}

  Result<ByteSpan> next() override {
    if (!decoder_) return no_memory(codec_);
    size_t filled = 0;
    while (filled < kDecompressWindowBytes) {
      input_.fill(1);
      if (input_.bytes().empty() && frame_done_) break;
      TRY_ASSIGN(Step step,
                 decoder_->step(input_.bytes(), {window_.get() + filled, kDecompressWindowBytes - filled}));
      // Without progress the loop would never end; a decoder that has input and room stands still
      // only if it waits for more input.
      if (step.consumed == 0 && step.produced == 0 && step.frame_done == frame_done_)
        return undecodable(codec_, "it ends in the middle");
      input_.consume(step.consumed);
      filled += step.produced;
      frame_done_ = step.frame_done;
    }
    total_ += filled;
    if (total_ > max_output_bytes_) return output_too_large(codec_, max_output_bytes_);
    return ByteSpan(window_.get(), filled);
  }

 private:
  Codec codec_;
  std::unique_ptr<StreamDecoder> decoder_;
  StagedInput input_;
  uint64_t max_output_bytes_;
  std::unique_ptr<std::byte[]> window_;
  uint64_t total_ = 0;
  bool frame_done_ = false;
};

/// Codec::none, and still with a limit.
class PassThrough final : public ByteSource {
 public:
  PassThrough(PiecesSource input, uint64_t max_output_bytes)
      : input_(input), max_output_bytes_(max_output_bytes) {}
  Result<ByteSpan> next() override {
    const ByteSpan window = input_.take();
    total_ += window.size();
    if (total_ > max_output_bytes_) return output_too_large(Codec::none, max_output_bytes_);
    return window;
  }

 private:
  PiecesSource input_;
  uint64_t max_output_bytes_;
  uint64_t total_ = 0;
};

}  // namespace
}  // namespace codec_detail

std::string_view name_of(Codec codec) {
  switch (codec) {
    case Codec::none:
      return "uncompressed";
    case Codec::gzip:
      return "gzip";
    case Codec::snappy:
      return "snappy";
    case Codec::lz4:
      return "lz4";
    case Codec::zstd:
      return "zstd";
  }
  return "unknown";
}

std::unique_ptr<ByteSource> open_decompressor(Codec codec, PiecesSource input, uint64_t max_output_bytes) {
  using namespace codec_detail;
  auto stream = [&](std::unique_ptr<StreamDecoder> decoder) {
    return std::make_unique<StreamDecompressor>(codec, std::move(decoder), input, max_output_bytes);
  };
  switch (codec) {
    case Codec::none:
      return std::make_unique<PassThrough>(input, max_output_bytes);
    case Codec::gzip:
      return stream(open_gzip());
    case Codec::snappy:
      return open_snappy(input, max_output_bytes);
    case Codec::lz4:
      return stream(open_lz4());
    case Codec::zstd:
      return stream(open_zstd());
  }
  check_failed("a codec has a decompressor", __FILE__, __LINE__);
}

Result<void> decompress(Codec codec, PiecesSource input, uint64_t max_output_bytes,
                        const std::function<Flow(ByteSpan)>& sink) {
  auto source = open_decompressor(codec, input, max_output_bytes);
  while (true) {
    TRY_ASSIGN(ByteSpan window, source->next());
    if (window.empty() || sink(window) == Flow::stop) return {};
  }
}

}  // namespace topicfs
