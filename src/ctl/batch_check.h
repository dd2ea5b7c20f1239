// Whether a stored batch is what its entry, in the log or in a block, says.
#pragma once

#include <topicfs/result.h>
#include <topicfs/types.h>

namespace topicfs::ctl {

/// What an entry says of a batch.
struct SaidOfBatch {
  Offset base, end;
  uint64_t text_bytes = 0;
};

/// Decodes the batch to its last record. kCorrupt, kUnsupported; the message says what differs.
Result<void> check_batch(ByteSpan batch, const SaidOfBatch& said);

}  // namespace topicfs::ctl
