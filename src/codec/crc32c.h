// CRC-32C (Castagnoli), as record batches and the log use it: crc32c("123456789") is 0xe3069283.
// ISA-L does the work.
#pragma once

#include <topicfs/types.h>

#include <cstdint>
#include <span>

namespace topicfs {

/// The checksum of `bytes` behind bytes whose checksum is `seed`; 0 starts one.
/// crc32c(b, crc32c(a)) is the checksum of a and b together.
uint32_t crc32c(ByteSpan bytes, uint32_t seed = 0);
uint32_t crc32c(std::span<const ByteSpan> pieces, uint32_t seed = 0);

/// The same, from two finished checksums: `a` of the first bytes, `b` of the `b_size_bytes` behind
/// them, which are not read. About a microsecond.
uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t b_size_bytes);

/// Copies `from` to `to` and returns the checksum of what was *written*, so it holds for the copy
/// even if another process changes `from` meanwhile. One pass through the cache.
uint32_t crc32c_copy(std::byte* to, ByteSpan from, uint32_t seed = 0);

}  // namespace topicfs
