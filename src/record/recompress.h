// Another codec for a batch: what a topic with a compression.type of its own does to batches that come with another.
#pragma once

#include <vector>

#include "record/validate.h"

namespace topicfs {

/// `batch`, which validate_batch has found good and nobody changes meanwhile, with its records compressed by `codec`;
/// all else stays, length and CRC are made right. The error is one of validate_batch's: too_large beyond
/// limits.max_batch_bytes, no_memory, undecodable.
Result<std::vector<std::byte>> recompress_batch(const ValidatedBatch& checked, ByteSpan batch, Codec codec, int level,
                                                const ValidateLimits& limits);

}  // namespace topicfs
