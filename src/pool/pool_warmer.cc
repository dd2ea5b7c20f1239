#include "pool/pool_warmer.h"

#include <pthread.h>

namespace topicfs {

static constexpr uint64_t kStepBytes = 16 << 20;

PoolWarmer::PoolWarmer(ChunkPool& pool) {
  thread_ = std::jthread([&pool](std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), "topicfs-warmer");
    // Not at a lower priority: populate() holds the address space's lock, for which any thread that maps memory
    // waits, and a thread that gets no processor holds it for seconds on a busy machine.
    // In the order in which the log takes them. A refusal is the kernel's to make; pages then come one by one.
    for (uint64_t at = 0; at < pool.size_bytes() && !stop.stop_requested(); at += kStepBytes)
      if (!pool.populate(at, kStepBytes)) return;
  });
}

}  // namespace topicfs
