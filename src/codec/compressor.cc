#include "codec/compressor.h"

#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "codec/endian.h"

namespace topicfs {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
constexpr size_t kXerialBlockBytes = 32 << 10;
constexpr int kGzipWindowBits = 15 + 16;  // zlib.h: 16 asks for gzip's header
// Higher levels of zstd would take up to 700 MiB of tables, for payloads of a few MiB at most.
constexpr int kLevelOfLargeTables = 6, kZstdWindowLog = 21, kZstdTableLog = 19;
constexpr int kMaxLz4Level = 12;          // LZ4HC_CLEVEL_MAX; Kafka's setting goes on to 17, lz4-java's limit

tl::unexpected<Error> failed(Codec codec, std::string_view why) {
  return fail(Errc::kFull, std::string(name_of(codec)) + " cannot compress: " + std::string(why));
}

class Nothing final : public Compressor {
 public:
  explicit Nothing(CompressedSink sink) : sink_(std::move(sink)) {}
  Result<void> write(ByteSpan bytes) override { return sink_(bytes); }
  Result<void> finish() override { return {}; }

 private:
  CompressedSink sink_;
};

class Gzip final : public Compressor {
 public:
  explicit Gzip(CompressedSink sink) : sink_(std::move(sink)), out_(kBufferBytes) {}
  ~Gzip() override {
    if (is_open_) deflateEnd(&z_);
  }
  bool open(int level) {
    is_open_ = deflateInit2(&z_, level, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return is_open_;
  }
  Result<void> write(ByteSpan bytes) override {
    while (!bytes.empty()) {
      ByteSpan part = bytes.first(std::min<size_t>(bytes.size(), 1 << 30));
      z_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(part.data()));
      z_.avail_in = static_cast<uInt>(part.size());
      TRY(run(Z_NO_FLUSH));
      bytes = bytes.subspan(part.size());
    }
    return {};
  }
  Result<void> finish() override { return run(Z_FINISH); }

 private:
  Result<void> run(int flush) {
    do {
      z_.next_out = reinterpret_cast<Bytef*>(out_.data());
      z_.avail_out = static_cast<uInt>(out_.size());
      if (deflate(&z_, flush) == Z_STREAM_ERROR) return failed(Codec::gzip, "stream error");
      TRY(sink_(ByteSpan(out_).first(out_.size() - z_.avail_out)));
    } while (z_.avail_out == 0);
    return {};
  }

  CompressedSink sink_;
  std::vector<std::byte> out_;
  z_stream z_{};
  bool is_open_ = false;
};

/// Blocks of 32 KiB, each with its length before it; see snappy.cc.
class XerialSnappy final : public Compressor {
 public:
  explicit XerialSnappy(CompressedSink sink) : sink_(std::move(sink)) { block_.reserve(kXerialBlockBytes); }
  Result<void> write(ByteSpan bytes) override {
    while (!bytes.empty()) {
      size_t n = std::min(bytes.size(), kXerialBlockBytes - block_.size());
      block_.append(as_text(bytes.first(n)));
      bytes = bytes.subspan(n);
      if (block_.size() == kXerialBlockBytes) TRY(put_block());
    }
    return {};
  }
  Result<void> finish() override {
    if (!block_.empty()) return put_block();
    return put_header();
  }

 private:
  Result<void> put_header() {
    if (std::exchange(has_header_, true)) return {};
    static constexpr std::string_view kHeader("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    return sink_(as_byte_span(kHeader));
  }
  Result<void> put_block() {
    TRY(put_header());
    snappy::Compress(block_.data(), block_.size(), &compressed_);
    block_.clear();
    std::array<std::byte, 4> size;
    store_be(size.data(), static_cast<uint32_t>(compressed_.size()));
    TRY(sink_(size));
    return sink_(as_byte_span(compressed_));
  }

  CompressedSink sink_;
  std::string block_, compressed_;
  bool has_header_ = false;
};

class Lz4 final : public Compressor {
 public:
  explicit Lz4(CompressedSink sink) : sink_(std::move(sink)) {}
  ~Lz4() override { LZ4F_freeCompressionContext(context_); }
  bool open(int level) {
    preferences_.frameInfo.blockSizeID = LZ4F_max64KB;
    preferences_.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences_.compressionLevel = std::min(level, kMaxLz4Level);
    out_.resize(std::max<size_t>(LZ4F_compressBound(kBufferBytes, &preferences_), LZ4F_HEADER_SIZE_MAX));
    return !LZ4F_isError(LZ4F_createCompressionContext(&context_, LZ4F_VERSION));
  }
  Result<void> write(ByteSpan bytes) override {
    TRY(begin());
    while (!bytes.empty()) {
      ByteSpan part = bytes.first(std::min(bytes.size(), kBufferBytes));
      TRY(put(LZ4F_compressUpdate(context_, out_.data(), out_.size(), part.data(), part.size(), nullptr)));
      bytes = bytes.subspan(part.size());
    }
    return {};
  }
  Result<void> finish() override {
    TRY(begin());
    return put(LZ4F_compressEnd(context_, out_.data(), out_.size(), nullptr));
  }

 private:
  Result<void> begin() {
    if (std::exchange(has_begun_, true)) return {};
    return put(LZ4F_compressBegin(context_, out_.data(), out_.size(), &preferences_));
  }
  Result<void> put(size_t produced) {
    if (LZ4F_isError(produced)) return failed(Codec::lz4, LZ4F_getErrorName(produced));
    return sink_(ByteSpan(out_).first(produced));
  }

  CompressedSink sink_;
  LZ4F_preferences_t preferences_{};
  LZ4F_cctx* context_ = nullptr;
  std::vector<std::byte> out_;
  bool has_begun_ = false;
};

class Zstd final : public Compressor {
 public:
  explicit Zstd(CompressedSink sink) : sink_(std::move(sink)), out_(kBufferBytes) {}
  ~Zstd() override { ZSTD_freeCCtx(context_); }
  bool open(int level) {
    context_ = ZSTD_createCCtx();
    return context_ && set(ZSTD_c_compressionLevel, level) &&
           (level < kLevelOfLargeTables || (set(ZSTD_c_windowLog, kZstdWindowLog) && set(ZSTD_c_chainLog, kZstdTableLog) &&
                                            set(ZSTD_c_hashLog, kZstdTableLog)));
  }
  Result<void> write(ByteSpan bytes) override { return run(bytes, ZSTD_e_continue); }
  Result<void> finish() override { return run({}, ZSTD_e_end); }

 private:
  bool set(ZSTD_cParameter parameter, int value) {
    return !ZSTD_isError(ZSTD_CCtx_setParameter(context_, parameter, value));
  }
  Result<void> run(ByteSpan bytes, ZSTD_EndDirective end) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (bool done = false; !done;) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      size_t left = ZSTD_compressStream2(context_, &out, &in, end);
      if (ZSTD_isError(left)) return failed(Codec::zstd, ZSTD_getErrorName(left));
      TRY(sink_(ByteSpan(out_).first(out.pos)));
      done = end == ZSTD_e_end ? left == 0 : in.pos == in.size;
    }
    return {};
  }

  CompressedSink sink_;
  std::vector<std::byte> out_;
  ZSTD_CCtx* context_ = nullptr;
};

template <class C>
std::unique_ptr<Compressor> opened(CompressedSink sink, int level) {
  auto compressor = std::make_unique<C>(std::move(sink));
  if (!compressor->open(level)) return nullptr;
  return compressor;
}

}  // namespace

std::unique_ptr<Compressor> open_compressor(Codec codec, int level, CompressedSink sink) {
  switch (codec) {
    case Codec::none: return std::make_unique<Nothing>(std::move(sink));
    case Codec::gzip: return opened<Gzip>(std::move(sink), level);
    case Codec::snappy: return std::make_unique<XerialSnappy>(std::move(sink));
    case Codec::lz4: return opened<Lz4>(std::move(sink), level);
    case Codec::zstd: return opened<Zstd>(std::move(sink), level);
  }
  return nullptr;
}

}  // namespace topicfs
