#include "support/compress.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <stdexcept>

#include "codec/endian.h"

namespace topicfs::testing {
namespace {

std::string gzip(std::string_view data) {
  z_stream z{};
  if (deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
  std::string out(deflateBound(&z, data.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  z.avail_in = static_cast<uInt>(data.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string raw_snappy(std::string_view data) {
  std::string out;
  snappy::Compress(data.data(), data.size(), &out);
  return out;
}

std::string xerial_snappy(std::string_view data) {
  constexpr size_t kBlockBytes = 32 << 10;
  std::string out("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
  for (; !data.empty(); data.remove_prefix(std::min(data.size(), kBlockBytes))) {
    const std::string block = raw_snappy(data.substr(0, kBlockBytes));
    std::byte size[4];
    store_be(size, static_cast<uint32_t>(block.size()));
    out.append(reinterpret_cast<const char*>(size), sizeof size) += block;
  }
  return out;
}

std::string lz4(std::string_view data) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  std::string out(LZ4F_compressFrameBound(data.size(), &preferences), '\0');
  const size_t n = LZ4F_compressFrame(out.data(), out.size(), data.data(), data.size(), &preferences);
  if (LZ4F_isError(n)) throw std::runtime_error("lz4");
  out.resize(n);
  return out;
}

std::string zstd(std::string_view data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  const size_t n = ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3);
  if (ZSTD_isError(n)) throw std::runtime_error("zstd");
  out.resize(n);
  return out;
}

}  // namespace

std::string compress(Codec codec, std::string_view data, SnappyForm form) {
  switch (codec) {
    case Codec::none:
      return std::string(data);
    case Codec::gzip:
      return gzip(data);
    case Codec::snappy:
      return form == SnappyForm::raw ? raw_snappy(data) : xerial_snappy(data);
    case Codec::lz4:
      return lz4(data);
    case Codec::zstd:
      return zstd(data);
  }
  throw std::logic_error("no such codec");
}

}  // namespace topicfs::testing
