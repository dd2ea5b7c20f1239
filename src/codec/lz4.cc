// LZ4 frames. Kafka's clients write one frame per batch and read no further than its end, so bytes
// behind it are refused: they would be text to us and nothing to a consumer.
#include <lz4frame.h>

#include "codec/stream_decoder.h"

namespace topicfs::codec_detail {
namespace {

class Lz4Decoder final : public StreamDecoder {
 public:
  ~Lz4Decoder() override { LZ4F_freeDecompressionContext(context_); }
  bool open() { return !LZ4F_isError(LZ4F_createDecompressionContext(&context_, LZ4F_VERSION)); }

  Result<Step> step(ByteSpan in, MutableByteSpan out) override {
    if (frame_done_) return undecodable(Codec::lz4, "there are bytes behind the frame");
    size_t consumed = in.size(), produced = out.size();
    const size_t result = LZ4F_decompress(context_, out.data(), &produced, in.data(), &consumed, nullptr);
    if (LZ4F_isError(result)) return undecodable(Codec::lz4, LZ4F_getErrorName(result));
    frame_done_ = result == 0;
    return Step{consumed, produced, frame_done_};
  }

 private:
  LZ4F_dctx* context_ = nullptr;
  bool frame_done_ = false;
};

}  // namespace

std::unique_ptr<StreamDecoder> open_lz4() {
  auto decoder = std::make_unique<Lz4Decoder>();
  if (!decoder->open()) return nullptr;
  return decoder;
}

}  // namespace topicfs::codec_detail
