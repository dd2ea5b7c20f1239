// The packed object, version 1: what an offload writes and every reader of the store understands.
// Immutable. All integers are big-endian; there is no padding.
//
//   object    = header block* footer trailer
//
//   header    = magic[8] "tfsobj\r\n"  version u32  crc u32  store uuid[16]            32 bytes
//               crc: CRC-32C of the header with these four bytes zero
//
//   block     = block-header batch-entry* batch*
//               batches of one partition, ascending; a batch lies in one block
//   block-header = magic u32 "tfsb"  partition u32  batches u32  reserved u32 = 0      16 bytes
//   batch-entry  = base offset i64  end offset i64  text position i64  text length u64
//                  position u32  flags u32                                             40 bytes
//               end offset: one behind the last record's, at most the next entry's base offset
//               position: of the batch's bytes, from the block's first byte; the first one lies
//               behind the entries, each ends where the next begins, the last at the block's end
//   batch     = a RecordBatch v2 as it was stored
//
//   footer    = facts topic* partition* block-entry*
//   facts     = store uuid[16]  epoch u64  sequence u64  log from u64  log to u64
//               created i64 (ms)  topics u32  partitions u32  blocks u32  reserved u32 = 0  72 bytes
//   topic     = uuid[16]  name length u16  name            ascending by uuid
//   partition = partition u32  topic u32  index u32        ascending by partition; 12 bytes
//               topic: which of the topics above; index: the partition's number in its topic
//   block-entry = partition u32  batches u32  base offset i64  end offset i64
//               text position i64  text length u64  first timestamp i64  max timestamp i64
//               position u64  size u32  crc u32            ascending by partition, offset; 72 bytes
//               text length: to the end of the last batch's text; crc: CRC-32C of the block;
//               position: of the block; the first lies behind the header, each ends where the
//               next begins, the last where the footer begins
//
//   trailer   = footer position u64  footer size u32  footer crc u32  version u32
//               crc u32 (of the 20 bytes before it)  magic[8] "\r\ntfsend"             32 bytes
//
// Offsets and text positions may have gaps, between batches and between blocks. The footer and the
// trailer of a usual object fit into its last kTailBytes, which a reader gets in one request; of a
// larger one it then gets exactly the footer. Everything read is hostile until parse() has passed it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <topicfs/result.h>
#include <topicfs/types.h>

namespace topicfs {

inline constexpr uint32_t kObjectVersion = 1;
inline constexpr std::string_view kObjectMagic = "tfsobj\r\n";
inline constexpr std::string_view kTrailerMagic = "\r\ntfsend";
inline constexpr uint32_t kBlockMagic = 0x74667362;  // "tfsb"

inline constexpr size_t kObjectHeaderBytes = 8 + 4 + 4 + 16;
inline constexpr size_t kBlockHeaderBytes = 4 * 4;
inline constexpr size_t kBatchEntryBytes = 4 * 8 + 2 * 4;
inline constexpr size_t kFactsBytes = 16 + 5 * 8 + 4 * 4;
inline constexpr size_t kTopicFixedBytes = 16 + 2;
inline constexpr size_t kPartitionEntryBytes = 3 * 4;
inline constexpr size_t kBlockEntryBytes = 2 * 4 + 7 * 8 + 2 * 4;
inline constexpr size_t kTrailerBytes = 8 + 4 * 4 + 8;
static_assert(kObjectHeaderBytes == 32 && kBlockHeaderBytes == 16 && kBatchEntryBytes == 40);
static_assert(kFactsBytes == 72 && kBlockEntryBytes == 72 && kTrailerBytes == 32);

inline constexpr size_t kTailBytes = 64 << 10;       ///< what the first read of an object brings
inline constexpr size_t kMaxFooterBytes = 32 << 20;  ///< more is refused, by writers and readers
inline constexpr size_t kMaxBlockBytes = 192 << 20;  ///< of a block with one huge batch
inline constexpr size_t kBlockTargetBytes = 512 << 10;   ///< a block with this much payload is complete
inline constexpr size_t kBlockPayloadMax = 1 << 20;      ///< unless it is a single batch

/// What an object says about itself.
struct ObjectFacts {
  Uuid store{};
  uint64_t epoch = 0, sequence = 0;      ///< of the writer; its key carries them too
  uint64_t log_from = 0, log_to = 0;     ///< positions in the writer's log that it covers
  WallMilliseconds created{0};
  friend bool operator==(const ObjectFacts&, const ObjectFacts&) = default;
};

struct TopicName {
  Uuid id;
  std::string name;
  friend bool operator==(const TopicName&, const TopicName&) = default;
};

struct PartitionName {
  PartitionId id;
  uint32_t topic = 0;  ///< in Footer::topics
  int32_t index = 0;
  friend bool operator==(const PartitionName&, const PartitionName&) = default;
};

struct BlockEntry {
  PartitionId partition;
  uint32_t batches = 0;
  Offset base_offset, end_offset;
  TextPosition text_position;
  uint64_t text_length = 0;
  int64_t first_timestamp = -1, max_timestamp = -1;
  uint64_t position = 0;
  uint32_t size = 0;
  uint32_t crc = 0;

  TextPosition text_end() const { return text_position + static_cast<int64_t>(text_length); }
  friend bool operator==(const BlockEntry&, const BlockEntry&) = default;
};

struct Trailer {
  uint64_t footer_position = 0;
  uint32_t footer_size = 0;
  uint32_t footer_crc = 0;

  /// `last` is the object's last kTrailerBytes. kCorrupt, kUnsupported (a later version).
  static Result<Trailer> parse(ByteSpan last, uint64_t object_size);
  void encode(MutableByteSpan to) const;
};

/// The index of an object. What parse() returns is consistent: counts, order, and no overlap.
struct Footer {
  ObjectFacts facts;
  std::vector<TopicName> topics;
  std::vector<PartitionName> partitions;
  std::vector<BlockEntry> blocks;
  uint64_t object_size = 0;
  uint32_t crc = 0;  ///< of its bytes: identifies the object's contents

  /// `bytes` are what the trailer names. kCorrupt.
  static Result<Footer> parse(ByteSpan bytes, const Trailer& trailer);
  size_t encoded_size() const;
  void encode(MutableByteSpan to) const;

  /// Memory it takes, about.
  size_t memory_bytes() const;
  std::span<const BlockEntry> blocks_of(PartitionId partition) const;
  /// nullptr: nothing of it is in here.
  const PartitionName* find(PartitionId partition) const;
};

void encode_object_header(const Uuid& store, MutableByteSpan to);
/// The store that wrote the object. kCorrupt, kUnsupported.
Result<Uuid> parse_object_header(ByteSpan first);

}  // namespace topicfs
