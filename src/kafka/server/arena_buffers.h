// ArenaBuffers: requests are received into the memory that the daemon shares with the gateway, so that
// a produced batch is copied once, by the daemon into its pool.
#pragma once

#include "ipc/client.h"
#include "kafka/wire/receive_buffers.h"

namespace topicfs::kafka {

class ArenaBuffers final : public ReceiveBuffers {
 public:
  /// For requests that no arena could hold.
  static constexpr size_t kHeapBudgetBytes = 256 << 20;

  /// `client` outlives this and all buffers.
  explicit ArenaBuffers(ipc::Client& client) : client_(client), heap_(kHeapBudgetBytes) {}
  ReceiveBuffer allocate(size_t size, Task when_room) override {
    if (size > client_.max_buffer_bytes()) return heap_.allocate(size, std::move(when_room));
    ipc::SlabBuffer buffer = client_.allocate_buffer(size, std::move(when_room));
    return {buffer.bytes, std::move(buffer.owner)};
  }

 private:
  ipc::Client& client_;
  HeapReceiveBuffers heap_;
};

}  // namespace topicfs::kafka
