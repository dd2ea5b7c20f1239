// Kafka's compression codecs, decoding: the log stores what producers compressed, and needs the text only in
// passing. Encoding, for topics that ask for it: compressor.h. Output comes in windows and is never held as a whole.
//
// Input is hostile, and may lie in memory that another process is changing: the codecs see it
// through a private copy of kDecompressStageBytes. What one decompressor allocates is bounded by
// the codec: gzip about 40 KiB, lz4 kMaxLz4Bytes, zstd the frame's window (at most
// 2^kMaxZstdWindowLog, of which the system provides only what the output reaches), snappy one
// block (at most kMaxSnappyBlockBytes), and for each the stage and one window.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "codec/byte_source.h"

namespace topicfs {

/// The low three bits of a batch's attributes.
enum class Codec : uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };

std::string_view name_of(Codec codec);

inline constexpr size_t kDecompressStageBytes = 32 << 10;
inline constexpr size_t kDecompressWindowBytes = 64 << 10;
/// Raw snappy is one block that must be decoded in one piece; xerial's framing uses 32 KiB each.
/// 1 MiB of snappy, Kafka's default limit, can't expand to more than 22 MiB.
inline constexpr size_t kMaxSnappyBlockBytes = 32 << 20;
/// The frame format's largest block, twice, and a dictionary of 64 KiB.
inline constexpr size_t kMaxLz4Bytes = (8 << 20) + (128 << 10);
/// What Kafka's own consumers accept; `zstd --ultra -22` needs it.
inline constexpr int kMaxZstdWindowLog = 27;

/// Decodes `input` as one compressed payload of a batch: gzip and zstd may consist of several
/// members or frames, snappy may be raw or in xerial's framing, lz4 is one frame. The whole input
/// must decode. Errors of next(): kCorrupt; kTooLarge, when the output exceeds `max_output_bytes`
/// or a block its bound; kFull, when memory is short. Codec::none passes the input through.
std::unique_ptr<ByteSource> open_decompressor(Codec codec, PiecesSource input, uint64_t max_output_bytes);

enum class Flow { go_on, stop };

/// Push form: `sink` gets every window until it says stop, which is no error.
Result<void> decompress(Codec codec, PiecesSource input, uint64_t max_output_bytes,
                        const std::function<Flow(ByteSpan)>& sink);

}  // namespace topicfs
