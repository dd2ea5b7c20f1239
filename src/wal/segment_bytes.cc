#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "codec/crc32c.h"
#include "wal/segments.h"

namespace topicfs::wal {

MutableByteSpan SegmentBytes::contiguous(uint32_t at, size_t count) const {
  uint32_t chunk_bytes = pool_->chunk_bytes(), within = at % chunk_bytes;
  ChunkId chunk = segment_->chunks[at / chunk_bytes];
  MUST(chunk != kNoChunk);
  return {pool_->data(chunk) + within, std::min<size_t>(count, chunk_bytes - within)};
}

void SegmentBytes::put(uint32_t at, ByteSpan bytes) const {
  while (!bytes.empty()) {
    MutableByteSpan to = contiguous(at, bytes.size());
    std::memcpy(to.data(), bytes.data(), to.size());
    at += static_cast<uint32_t>(to.size());
    bytes = bytes.subspan(to.size());
  }
}

uint32_t SegmentBytes::put_summed(uint32_t at, ByteSpan bytes, uint32_t seed) const {
  while (!bytes.empty()) {
    MutableByteSpan to = contiguous(at, bytes.size());
    seed = crc32c_copy(to.data(), bytes.first(to.size()), seed);
    at += static_cast<uint32_t>(to.size());
    bytes = bytes.subspan(to.size());
  }
  return seed;
}

void SegmentBytes::get(uint32_t at, MutableByteSpan into) const {
  while (!into.empty()) {
    MutableByteSpan from = contiguous(at, into.size());
    std::memcpy(into.data(), from.data(), from.size());
    at += static_cast<uint32_t>(from.size());
    into = into.subspan(from.size());
  }
}

void SegmentBytes::zero(uint32_t at, size_t count) const {
  while (count > 0) {
    MutableByteSpan to = contiguous(at, count);
    std::memset(to.data(), 0, to.size());
    at += static_cast<uint32_t>(to.size());
    count -= to.size();
  }
}

void SegmentBytes::pieces(uint32_t at, size_t count, std::vector<ByteSpan>& out) const {
  while (count > 0) {
    MutableByteSpan part = contiguous(at, count);
    out.push_back(part);
    at += static_cast<uint32_t>(part.size());
    count -= part.size();
  }
}

}  // namespace topicfs::wal
