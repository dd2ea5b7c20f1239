// Zstandard (RFC 8878); several frames in a row are one stream.
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/stream_decoder.h"

namespace topicfs::codec_detail {
namespace {

class ZstdDecoder final : public StreamDecoder {
 public:
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }
  bool open() {
    context_ = ZSTD_createDCtx();
    return context_ &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, kMaxZstdWindowLog));
  }

  Result<Step> step(ByteSpan in, MutableByteSpan out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t result = ZSTD_decompressStream(context_, &to, &from);
    if (ZSTD_isError(result)) {
      const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
      if (code == ZSTD_error_memory_allocation) return no_memory(Codec::zstd);
      if (code == ZSTD_error_frameParameter_windowTooLarge)
        return fail(Errc::kTooLarge, "zstd payload needs a window of more than 128 MiB");
      return undecodable(Codec::zstd, ZSTD_getErrorName(result));
    }
    return Step{from.pos, to.pos, result == 0};
  }

 private:
  ZSTD_DCtx* context_ = nullptr;
};

}  // namespace

std::unique_ptr<StreamDecoder> open_zstd() {
  auto decoder = std::make_unique<ZstdDecoder>();
  if (!decoder->open()) return nullptr;
  return decoder;
}

}  // namespace topicfs::codec_detail
