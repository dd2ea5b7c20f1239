// Leader epochs, as clients ask for them (KIP-101, KIP-320): one for all partitions, which grows with each start of
// the daemon. Readers learn from them what was lost behind their back.
#pragma once

#include <span>

#include <topicfs/engine.h>

#include "kafka/wire/error_code.h"

namespace topicfs::kafka {

/// What a client believes the leader's epoch to be; -1: it does not say.
ErrorCode check_leader_epoch(int32_t asked, int32_t current);

struct EpochEnd {
  int32_t epoch = -1;       ///< -1: unknown
  int64_t end_offset = -1;
};
/// The newest epoch up to `asked` of which the partition has records, and where the next one begins; of the current
/// epoch the end that readers see. As Kafka's leaders answer.
EpochEnd end_of_epoch(std::span<const EpochStart> epochs, int32_t current, const PartitionEnds& ends, int32_t asked);

/// Of the record at `offset`, or of the next one.
int32_t epoch_at(std::span<const EpochStart> epochs, int32_t current, Offset offset);

}  // namespace topicfs::kafka
