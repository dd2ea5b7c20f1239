// A checkpoint: all that the engine knows without the log behind `log_from`: topics, objects, extents, consumer groups,
// idempotent producers. One immutable file, replaced atomically in the data directory, and uploaded under a key of its own.
// topicfs-format(5), CHECKPOINTS:
//
//   checkpoint = magic u64, version u32, zero u32, body-bytes u64, body, CRC-32C of all before u32
//   body       = store 16, epoch u64, sequence u64, log-from u64, control-end i64,
//                next-topic u32, next-partition u32,
//                topic-count u32, (bytes u32, JSON of its topic-created record)*,
//                object-count u32, (key-bytes u32, key, epoch u64, sequence u64, from u64, to u64, size u64, crc u32)*,
//                partition-count u32, (id u32, log-start i64, end i64, text-start i64, text-end i64, modified i64,
//                extent-count u32, (base i64, end i64, text i64, text-end i64, max-timestamp i64, bytes i64,
//                object u32)*,
//                epoch-count u32, (epoch i32, start i64)*)*,
//                record-count u32, (bytes u32, JSON of a group's control record)*,
//                producer-count u32, (partition u32, id i64, epoch i16, batch-count u16, last-used i64,
//                (first-sequence i32, last-sequence i32, offset i64, timestamp i64)*)*
//
// Little-endian. Partitions by ascending id, extents by ascending offset, objects by (epoch, sequence), leader epochs
// ascending, producers from the one that has been idle longest, their batches from the oldest.
#pragma once

#include <string>
#include <vector>

#include "metadata/control_records.h"
#include "metadata/partition_state.h"
#include "metadata/producer_state.h"

namespace topicfs {

struct Checkpoint {
  Uuid store;
  uint64_t epoch = 0;              ///< of who wrote it
  uint64_t sequence = 0;           ///< of the last object of that epoch that it knows; 0: none
  wal::LogPosition log_from;       ///< the log from here on is not in it
  Offset control_end;              ///< control records before this offset are in it
  uint32_t next_topic = 1, next_partition = 1;
  std::vector<TopicInfo> topics;
  std::vector<StoredObject> objects;
  struct PartitionState {
    PartitionId id;
    SavedPartition state;
  };
  std::vector<PartitionState> partitions;
  std::vector<GroupRecord> groups;  ///< records that make them, in order
  std::vector<ProducerState> producers;
};

inline constexpr uint64_t kCheckpointMagic = 0x0a31504b43736674;  // "tfsCKP1\n"
inline constexpr uint32_t kCheckpointVersion = 3;
inline constexpr uint64_t kMaxCheckpointBytes = 4ull << 30;

std::vector<std::byte> encode(const Checkpoint& checkpoint);
/// kCorrupt: fails its checksum, or says what cannot be. kUnsupported: another version.
Result<Checkpoint> decode_checkpoint(ByteSpan bytes);

}  // namespace topicfs
