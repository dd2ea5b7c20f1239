// The bytes of a log segment: topicfs-format(5), section LOG SEGMENTS, is the same grammar in prose.
//
//   segment    = header-block commit* rest
//   header-block = SegmentHeader, zeros up to kBlockBytes
//   commit     = entry* commit-entry, zeros up to the next multiple of kBlockBytes
//   entry      = EntryHeader (type batch) RecordBatch-v2, zeros up to the next multiple of kEntryAlignment
//   commit-entry = EntryHeader (type commit) CommitBody
//
// All integers are little-endian, except within a RecordBatch, which is Kafka's. A commit counts only if
// its commit-entry's checksum fits all its entries, and its `previous` is the checksum of commit number-1.
// An entry's CRC covers its header and the first 21 bytes of its batch, up to and including the batch's own
// CRC-32C, which covers the rest: so no byte is summed twice. What lies behind the last commit of a segment
// is of no meaning: it is older than the segment, or torn.
#pragma once

#include <cstdint>
#include <optional>

#include <topicfs/result.h>
#include <topicfs/types.h>

namespace topicfs::wal {

inline constexpr size_t kBlockBytes = 4096;     ///< commits start at multiples of it
inline constexpr size_t kEntryAlignment = 8;
inline constexpr size_t kBatchPrefixBytes = 21; ///< of a batch, covered by the entry's CRC
inline constexpr uint64_t kSegmentMagic = 0x0a314c4157736674;  // "tfsWAL1\n" in the file
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kMinSegmentBytes = 1 << 20, kMaxSegmentBytes = 1ull << 31;

/// Where an entry lies: the number of its segment and the byte in it. Numbers grow with each segment
/// that is begun, in a file of its own or in one used again, and are never given twice.
struct LogPosition {
  uint64_t v = 0;  ///< segment number << 32 | byte
  static constexpr LogPosition at(uint32_t segment, uint32_t byte) {
    return {uint64_t{segment} << 32 | byte};
  }
  constexpr uint32_t segment() const { return static_cast<uint32_t>(v >> 32); }
  constexpr uint32_t byte() const { return static_cast<uint32_t>(v); }
  friend constexpr auto operator<=>(LogPosition, LogPosition) = default;
};

struct SegmentHeader {
  uint64_t magic = kSegmentMagic;
  uint32_t version = kFormatVersion;
  uint32_t segment = 0;   ///< its number, the epoch of every entry in it
  uint64_t bytes = 0;     ///< size of the segment
  Uuid store;             ///< whose log this is
  uint32_t reserved = 0;
  uint32_t crc = 0;       ///< CRC-32C of the fields before
};
static_assert(sizeof(SegmentHeader) == 48);

enum class EntryType : uint8_t { batch = 1, commit = 2, none = 3 };

/// Bits of EntryHeader::flags.
inline constexpr uint8_t kEntryFromFile = 1;       ///< a file append's: may be merged with its neighbours
inline constexpr uint8_t kEntryGroupGoesOn = 2;    ///< the next entry of the partition belongs to the same write

struct EntryHeader {
  uint32_t crc = 0;           ///< CRC-32C of the rest of the header, and of the batch's first 21 bytes
  uint32_t body_bytes = 0;    ///< what follows, without the zeros behind it
  uint32_t segment = 0;       ///< equals the segment header's
  EntryType type{};
  uint8_t flags = 0;
  uint16_t reserved = 0;
  uint64_t sequence = 0;      ///< log sequence number: one more than the entry before
  uint32_t partition = 0;
  uint32_t records = 0;       ///< offsets that the batch takes up
  int64_t base_offset = 0;
  int64_t text_position = 0;  ///< of the batch's first byte of text
  int64_t text_bytes = 0;     ///< length of the batch's text
  int64_t max_timestamp = 0;
};
static_assert(sizeof(EntryHeader) == 64);

struct CommitBody {
  uint64_t number = 0;        ///< one more than the commit before
  uint64_t durable = 0;       ///< LogPosition of the end of what was known durable when this was written
  int64_t wall_ms = 0;        ///< when it was made
  uint32_t start = 0;         ///< byte of the segment at which the commit starts
  uint32_t entries = 0;       ///< before the commit-entry
  uint32_t previous = 0;      ///< checksum of the commit before; 0 for the first of a log
  uint32_t checksum = 0;      ///< CRC-32C of the CRCs of all entries, then of the fields before this one
};
static_assert(sizeof(CommitBody) == 40);

inline constexpr size_t kCommitEntryBytes = sizeof(EntryHeader) + sizeof(CommitBody);

constexpr uint64_t align_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
/// Bytes that an entry with a body of n bytes takes up in a segment.
constexpr uint64_t entry_footprint(uint64_t n) { return align_up(sizeof(EntryHeader) + n, kEntryAlignment); }

void encode(const SegmentHeader& header, MutableByteSpan into);  ///< fills in the CRC
/// kCorrupt if magic, version, size or CRC do not hold.
Result<SegmentHeader> decode_segment_header(ByteSpan bytes);

/// The CRC that an entry must carry; `batch_prefix` is the body's first kBatchPrefixBytes, or all of a commit's.
uint32_t entry_crc(const EntryHeader& header, ByteSpan batch_prefix);
/// What entry_crc covers of a body.
constexpr size_t covered_body_bytes(EntryType type, size_t body_bytes) {
  return type == EntryType::batch && body_bytes > kBatchPrefixBytes ? kBatchPrefixBytes : body_bytes;
}

void store(const EntryHeader& header, std::byte* into);
EntryHeader load_entry(const std::byte* from);
void store(const CommitBody& body, std::byte* into);
CommitBody load_commit(const std::byte* from);

/// Checksum of a commit, from the running CRC over its entries' CRCs and its body's other fields.
uint32_t commit_checksum(uint32_t crc_of_entry_crcs, const CommitBody& body);

}  // namespace topicfs::wal
