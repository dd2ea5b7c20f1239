// gzip (RFC 1952) by zlib; several members in a row are one stream, as Java's GZIPInputStream
// reads them.
#include <zlib.h>

#include "codec/stream_decoder.h"

namespace topicfs::codec_detail {
namespace {

constexpr int kGzipOnly = 16 + 15;  // zlib's windowBits: gzip header, largest window

class GzipDecoder final : public StreamDecoder {
 public:
  GzipDecoder() = default;
  ~GzipDecoder() override {
    if (open_) inflateEnd(&z_);
  }
  bool open() { return open_ = inflateInit2(&z_, kGzipOnly) == Z_OK; }

  Result<Step> step(ByteSpan in, MutableByteSpan out) override {
    if (member_done_ && !in.empty()) {
      inflateReset(&z_);
      member_done_ = false;
    }
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));  // zlib only reads it
    z_.avail_in = static_cast<uInt>(in.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = static_cast<uInt>(out.size());
    if (!member_done_) {
      const int result = inflate(&z_, Z_NO_FLUSH);
      if (result == Z_STREAM_END)
        member_done_ = true;
      else if (result == Z_MEM_ERROR)
        return no_memory(Codec::gzip);
      else if (result != Z_OK && result != Z_BUF_ERROR)
        return undecodable(Codec::gzip, z_.msg ? z_.msg : "bad data");
    }
    return Step{in.size() - z_.avail_in, out.size() - z_.avail_out, member_done_};
  }

 private:
  z_stream z_{};
  bool open_ = false;
  bool member_done_ = false;
};

}  // namespace

std::unique_ptr<StreamDecoder> open_gzip() {
  auto decoder = std::make_unique<GzipDecoder>();
  if (!decoder->open()) return nullptr;
  return decoder;
}

}  // namespace topicfs::codec_detail
