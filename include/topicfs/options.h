// What an engine is told when it opens: plain values, checked there.
#pragma once

#include <cstdint>
#include <string>

#include <topicfs/types.h>

namespace topicfs {

struct EngineOptions {
  std::string data_dir;
  uint64_t wal_segment_bytes = 64ull << 20;   ///< 1 MiB to 2 GiB, a power of two
  uint64_t wal_max_bytes = 4ull << 30;        ///< at least 4 segments
  uint64_t pool_bytes = 512ull << 20;         ///< at least 4 chunks of 64 KiB
  MonotonicTime wal_sync_interval = std::chrono::milliseconds(2);
  MonotonicTime append_timeout = std::chrono::seconds(5);
  MonotonicTime producer_id_expiration = std::chrono::hours(24);  ///< of a producer that appends nothing
  MonotonicTime offload_interval = std::chrono::seconds(60);
  uint64_t object_bytes = 64ull << 20;
  uint64_t footer_cache_bytes = 64ull << 20;
  uint64_t block_cache_bytes = 64ull << 20;
  uint64_t max_batch_text = 64ull << 20;      ///< longest text of one Kafka batch
  uint32_t max_message_bytes = 1048588;       ///< where a topic does not set max.message.bytes
};

}  // namespace topicfs
