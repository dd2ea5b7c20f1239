// What is known of an idempotent producer in one partition, as a checkpoint keeps it. KIP-98.
#pragma once

#include <vector>

#include <topicfs/types.h>

namespace topicfs {

/// One of the last batches that a producer appended.
struct ProducerBatch {
  int32_t first_sequence = 0, last_sequence = 0;  ///< of its records; after 2^31-1 comes 0
  Offset offset;                                  ///< of its first record
  int64_t timestamp = -1;                         ///< its largest, or that of the append
  friend bool operator==(const ProducerBatch&, const ProducerBatch&) = default;
};

/// Kafka remembers as many: clients have at most five requests in flight.
inline constexpr size_t kRememberedBatches = 5;

struct ProducerState {
  PartitionId partition;
  int64_t id = -1;
  int16_t epoch = -1;
  WallMilliseconds last_used{0};
  std::vector<ProducerBatch> batches;  ///< 1 to kRememberedBatches of this epoch, oldest first
  friend bool operator==(const ProducerState&, const ProducerState&) = default;
};

}  // namespace topicfs
