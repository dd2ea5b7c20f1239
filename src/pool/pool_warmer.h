// PoolWarmer: gets a pool's memory from the kernel in the background, so that no append pays for the first touch
// of a page (which costs several times as much as the copy into it). Not needed for correctness.
#pragma once

#include <stop_token>
#include <thread>

#include "pool/chunk_pool.h"

namespace topicfs {

class PoolWarmer {
 public:
  /// Starts at once, in a thread of its own. `pool` outlives this.
  explicit PoolWarmer(ChunkPool& pool);
  /// Stops within a few milliseconds.
  ~PoolWarmer() = default;

 private:
  std::jthread thread_;
};

}  // namespace topicfs
