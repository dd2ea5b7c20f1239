#include "wal/format.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "base/check.h"
#include "codec/crc32c.h"

static_assert(std::endian::native == std::endian::little, "the log's integers are stored as they are in memory");

namespace topicfs::wal {
namespace {

template <class T>
ByteSpan bytes_of(const T& value, size_t from, size_t to) {
  return ByteSpan(reinterpret_cast<const std::byte*>(&value) + from, to - from);
}

}  // namespace

void encode(const SegmentHeader& header, MutableByteSpan into) {
  MUST(into.size() >= sizeof header);
  SegmentHeader h = header;
  h.crc = crc32c(bytes_of(h, 0, offsetof(SegmentHeader, crc)));
  std::memcpy(into.data(), &h, sizeof h);
}

Result<SegmentHeader> decode_segment_header(ByteSpan bytes) {
  SegmentHeader h;
  if (bytes.size() < sizeof h) return fail(Errc::kCorrupt, "a segment of " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&h, bytes.data(), sizeof h);
  if (h.magic != kSegmentMagic) return fail(Errc::kCorrupt, "not a log segment");
  if (h.crc != crc32c(bytes_of(h, 0, offsetof(SegmentHeader, crc))))
    return fail(Errc::kCorrupt, "the segment's header fails its checksum");
  if (h.version != kFormatVersion)
    return fail(Errc::kUnsupported, "log format version " + std::to_string(h.version) + " is not known");
  if (h.bytes < kMinSegmentBytes || h.bytes > kMaxSegmentBytes || h.bytes % kBlockBytes)
    return fail(Errc::kCorrupt, "a segment of " + std::to_string(h.bytes) + " bytes is not possible");
  return h;
}

uint32_t entry_crc(const EntryHeader& header, ByteSpan batch_prefix) {
  uint32_t crc = crc32c(bytes_of(header, sizeof header.crc, sizeof header));
  return crc32c(batch_prefix, crc);
}

void store(const EntryHeader& header, std::byte* into) { std::memcpy(into, &header, sizeof header); }

EntryHeader load_entry(const std::byte* from) {
  EntryHeader h;
  std::memcpy(&h, from, sizeof h);
  return h;
}

void store(const CommitBody& body, std::byte* into) { std::memcpy(into, &body, sizeof body); }

CommitBody load_commit(const std::byte* from) {
  CommitBody c;
  std::memcpy(&c, from, sizeof c);
  return c;
}

uint32_t commit_checksum(uint32_t crc_of_entry_crcs, const CommitBody& body) {
  return crc32c(bytes_of(body, 0, offsetof(CommitBody, checksum)), crc_of_entry_crcs);
}

}  // namespace topicfs::wal
