// ArenaBuffers: requests are received into the memory that the daemon shares with the gateway, so that
// a produced batch is copied once, by the daemon into its pool.
#pragma once

#include <algorithm>

#include "ipc/client.h"
#include "kafka/wire/receive_buffers.h"

namespace topicfs::kafka {

class ArenaBuffers final : public ReceiveBuffers {
 public:
  /// Of the arena, so that a few requests on their way leave room for others.
  static constexpr size_t kQuickShare = 4;
  /// For what is long or slow, at least: many clients that are no more than that.
  static constexpr size_t kLeastSlowBytes = 64 << 20;

  /// `client` outlives this and all buffers. Slow requests may take twice the longest one, and half of it while that
  /// grows.
  ArenaBuffers(ipc::Client& client, size_t max_request_bytes)
      : client_(client), slow_(std::max(kLeastSlowBytes, max_request_bytes / 2 * 5)) {}
  ReceiveBuffer allocate(size_t size, Task when_room) override {
    ipc::SlabBuffer buffer = client_.allocate_buffer(size, std::move(when_room));
    return {buffer.bytes, std::move(buffer.owner)};
  }
  size_t max_quick_bytes() const override { return client_.max_buffer_bytes() / kQuickShare; }
  ReceiveBuffer allocate_slow(size_t size) override { return slow_.allocate_slow(size); }

 private:
  ipc::Client& client_;
  HeapReceiveBuffers slow_;
};

}  // namespace topicfs::kafka
