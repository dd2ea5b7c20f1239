// The header of a Kafka RecordBatch v2: the form in which every record is stored and served.
// All integers are big-endian (KIP-98; "Record Batch" in Kafka's protocol guide):
//
//   0  baseOffset            int64     23  lastOffsetDelta  int32
//   8  batchLength           int32     27  baseTimestamp    int64   milliseconds
//  12  partitionLeaderEpoch  int32     35  maxTimestamp     int64
//  16  magic                 int8  = 2 43  producerId       int64   -1: none
//  17  crc                   uint32    51  producerEpoch    int16
//  21  attributes            int16     53  baseSequence     int32
//                                      57  recordCount      int32
//  61  records, compressed as one if the attributes say so
//
// batchLength counts the bytes behind itself. The CRC-32C covers everything from the attributes
// on, so the offset and the epoch are stamped without touching it.
// What the records look like is in records.h; whether a batch keeps the rules, in validate.h.
#pragma once

#include <topicfs/result.h>
#include <topicfs/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "codec/compression.h"

namespace topicfs {

inline constexpr size_t kBatchHeaderBytes = 61;
inline constexpr size_t kBatchLengthEnd = 12;  ///< batchLength counts from here
inline constexpr size_t kBatchCrcOffset = 17;
inline constexpr size_t kBatchCrcStart = 21;  ///< what the CRC covers begins here
inline constexpr int8_t kBatchMagic = 2;
inline constexpr int64_t kNoTimestamp = -1;
inline constexpr int64_t kNoProducerId = -1;

inline constexpr int16_t kAttributeCodecMask = 0x07;
inline constexpr int16_t kAttributeLogAppendTime = 0x08;
inline constexpr int16_t kAttributeTransactional = 0x10;
inline constexpr int16_t kAttributeControl = 0x20;

/// A header's bytes, in memory of one's own.
using BatchHeaderBytes = std::array<std::byte, kBatchHeaderBytes>;

struct BatchHeader {
  Offset base_offset{0};
  int32_t batch_length = 0;
  int32_t partition_leader_epoch = -1;
  int8_t magic = kBatchMagic;
  uint32_t crc = 0;
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp = 0;
  int64_t max_timestamp = 0;
  int64_t producer_id = kNoProducerId;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  /// Every field as it stands; nothing is checked.
  static BatchHeader load(const BatchHeaderBytes& bytes);
  /// From a batch, contiguous or in pieces, which is copied before it is looked at. kCorrupt: cut
  /// off, a length or count that can't be; kUnsupported: another magic, an unknown codec. The
  /// CRC isn't checked, nor that the bytes go on for the length that the header claims.
  static Result<BatchHeader> parse(ByteSpan batch);
  static Result<BatchHeader> parse(std::span<const ByteSpan> pieces);
  void store(BatchHeaderBytes& bytes) const;

  size_t size_bytes() const { return kBatchLengthEnd + static_cast<size_t>(batch_length); }
  size_t records_size_bytes() const { return size_bytes() - kBatchHeaderBytes; }
  Offset last_offset() const { return base_offset + last_offset_delta; }
  Offset next_offset() const { return base_offset + last_offset_delta + 1; }
  uint8_t raw_codec() const { return static_cast<uint8_t>(attributes & kAttributeCodecMask); }
  bool has_known_codec() const { return raw_codec() <= static_cast<uint8_t>(Codec::zstd); }
  Codec codec() const { return static_cast<Codec>(raw_codec()); }  ///< has_known_codec() first
  bool has_log_append_time() const { return attributes & kAttributeLogAppendTime; }
  bool is_transactional() const { return attributes & kAttributeTransactional; }
  bool is_control() const { return attributes & kAttributeControl; }
  bool has_producer_id() const { return producer_id > kNoProducerId; }
};

/// The codec that a batch claims, before anything of it is checked; -1: it is too short to say.
inline int codec_bits(ByteSpan batch) {
  constexpr size_t kLowAttributes = 22;
  return batch.size() > kLowAttributes ? static_cast<int>(batch[kLowAttributes]) & kAttributeCodecMask : -1;
}

/// Gives the batch its place. The CRC stays valid.
void stamp_offset(std::span<std::byte, kBatchHeaderBytes> header, Offset base_offset,
                  int32_t partition_leader_epoch);

enum class TimestampType { create_time, log_append_time };

/// Sets maxTimestamp and the timestamp type, and corrects the CRC, which was right before: from
/// the change of the header alone, so the records need not be at hand. The header's batchLength
/// has been checked.
void rewrite_times(std::span<std::byte, kBatchHeaderBytes> header, TimestampType type, int64_t max_timestamp);

/// Checks the CRC of a whole batch in pieces against its header. Reads each byte once.
bool has_valid_crc(const BatchHeader& header, std::span<const ByteSpan> pieces);

}  // namespace topicfs
