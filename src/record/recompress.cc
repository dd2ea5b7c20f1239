#include "record/recompress.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/compressor.h"
#include "codec/crc32c.h"

namespace topicfs {
namespace {

tl::unexpected<Error> refuse(BatchFault fault, std::string_view why) {
  return fail(errc_of(fault), fmt::format("{}: {}", name_of(fault), why));
}

/// In the words that validate_batch has for it.
tl::unexpected<Error> refuse(const Error& error) {
  if (error.code == Errc::kTooLarge) return refuse(BatchFault::too_large, error.what);
  if (error.code == Errc::kFull) return refuse(BatchFault::no_memory, error.what);
  return refuse(BatchFault::undecodable, error.what);
}

void finish_header(const BatchHeader& from, Codec codec, std::vector<std::byte>& batch) {
  BatchHeader header = from;
  header.attributes = static_cast<int16_t>((header.attributes & ~kAttributeCodecMask) | static_cast<int16_t>(codec));
  header.batch_length = static_cast<int32_t>(batch.size() - kBatchLengthEnd);
  BatchHeaderBytes bytes;
  header.store(bytes);
  header.crc = crc32c(ByteSpan(batch).subspan(kBatchHeaderBytes), crc32c(ByteSpan(bytes).subspan(kBatchCrcStart)));
  header.store(bytes);
  std::copy(bytes.begin(), bytes.end(), batch.begin());
}

}  // namespace

Result<std::vector<std::byte>> recompress_batch(const ValidatedBatch& checked, ByteSpan batch, Codec codec, int level,
                                                const ValidateLimits& limits) {
  std::vector<std::byte> out(kBatchHeaderBytes);
  auto compressor = open_compressor(codec, level, [&](ByteSpan bytes) -> Result<void> {
    if (bytes.size() > limits.max_batch_bytes - std::min(out.size(), limits.max_batch_bytes))
      return fail(Errc::kTooLarge, fmt::format("compressed as the topic says the batch has more than {} bytes, "
                                               "which is its max.message.bytes", limits.max_batch_bytes));
    out.insert(out.end(), bytes.begin(), bytes.end());
    return {};
  });
  if (!compressor) return refuse(BatchFault::no_memory, "the compressor got none");
  const ByteSpan records = batch.subspan(kBatchHeaderBytes, checked.header.records_size_bytes());
  auto source = open_decompressor(checked.codec(), PiecesSource(std::span(&records, 1)), kMaxDecodedBatchBytes);
  for (;;) {
    auto window = source->next();
    if (!window) return refuse(window.error());
    if (window->empty()) break;
    if (auto written = compressor->write(*window); !written) return refuse(written.error());
  }
  if (auto finished = compressor->finish(); !finished) return refuse(finished.error());
  finish_header(checked.header, codec, out);
  return out;
}

}  // namespace topicfs
