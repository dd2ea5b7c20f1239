// ReceiveBuffers: where the bytes of requests are read into. It is a seam: behind a socket to the
// daemon, the memory is the arena that both processes see, so that a produced batch is not copied on
// its way; the plain heap serves everywhere else.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>

#include <topicfs/completion.h>
#include <topicfs/engine.h>

#include "base/mutex.h"

namespace topicfs::kafka {

/// One request's bytes; given back when the last copy of `owner` is gone.
struct ReceiveBuffer {
  MutableByteSpan bytes;
  Pin owner;
  explicit operator bool() const { return owner != nullptr; }
};

/// Thread-safe. The gateway keeps a buffer until every append of its request is answered, so an
/// implementation may pass references to it to another process.
class ReceiveBuffers {
 public:
  virtual ~ReceiveBuffers() = default;
  /// `size` contiguous bytes, not cleared. When there is no room: an empty buffer, and `when_room` is
  /// called once, on any thread, when it is worth asking again; otherwise `when_room` is dropped.
  virtual ReceiveBuffer allocate(size_t size, Task when_room) = 0;
  /// A request longer than this should be begun with allocate_slow(), so that it cannot keep others waiting.
  virtual size_t max_quick_bytes() const = 0;
  /// For requests that are long, or come slowly: memory that nobody waits for. Empty if there is none now.
  virtual ReceiveBuffer allocate_slow(size_t size) = 0;
};

/// Up to `budget_bytes` of heap, for both kinds; a single buffer beyond the budget is granted when nothing else is out.
class HeapReceiveBuffers final : public ReceiveBuffers {
 public:
  explicit HeapReceiveBuffers(size_t budget_bytes) : state_(std::make_shared<State>(budget_bytes)) {}
  ReceiveBuffer allocate(size_t size, Task when_room) override;
  size_t max_quick_bytes() const override { return SIZE_MAX; }
  ReceiveBuffer allocate_slow(size_t size) override { return allocate(size, nullptr); }

 private:
  struct Block;
  struct State {
    explicit State(size_t budget_bytes) : budget(budget_bytes) {}
    void give_back(size_t size);
    const size_t budget;
    Mutex mutex;
    size_t used GUARDED_BY(mutex) = 0;
    std::deque<Task> waiting GUARDED_BY(mutex);
  };
  std::shared_ptr<State> state_;  // shared with the buffers that are out
};

}  // namespace topicfs::kafka
