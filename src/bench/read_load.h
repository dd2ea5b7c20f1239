// Reads a file from its beginning to its end, once.
#pragma once

#include "base/clock.h"
#include "bench/figures.h"

namespace topicfs::bench {

/// In requests of `request_bytes` (1 to kMaxRequestBytes). The first request's latency tells how long a cold file
/// takes to answer; it counts like the others. kInvalidArgument, kNotFound, kIo. Waits.
Result<Run> read_whole(const std::string& file, size_t request_bytes, Clock& clock);

inline constexpr size_t kMaxRequestBytes = 64 << 20;

}  // namespace topicfs::bench
