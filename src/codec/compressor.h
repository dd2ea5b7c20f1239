// Compression, for topics whose setting compression.type is not the producer's choice. A payload goes in in pieces,
// and what comes of it goes to a sink, so that neither is held as a whole. One compressor takes the codec's own memory
// and one buffer, less than 10 MiB at any level.
#pragma once

#include <functional>
#include <memory>

#include "codec/compression.h"

namespace topicfs {

class Compressor {
 public:
  virtual ~Compressor() = default;
  /// Errors: the sink's; kFull, when memory is short. After one, don't call again.
  virtual Result<void> write(ByteSpan bytes) = 0;
  /// The end of the payload.
  virtual Result<void> finish() = 0;
};

using CompressedSink = std::function<Result<void>(ByteSpan)>;

/// As Kafka's broker compresses: snappy in xerial's framing, lz4 in frames of independent blocks of 64 KiB. `level` is
/// in the range of Kafka's compression.<codec>.level; snappy and none have none. nullptr: memory is short.
std::unique_ptr<Compressor> open_compressor(Codec codec, int level, CompressedSink sink);

}  // namespace topicfs
