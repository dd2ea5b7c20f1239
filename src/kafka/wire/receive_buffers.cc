#include "kafka/wire/receive_buffers.h"

namespace topicfs::kafka {

struct HeapReceiveBuffers::Block {
  Block(std::shared_ptr<State> s, size_t n) : state(std::move(s)), size(n), bytes(new std::byte[n]) {}
  ~Block() { state->give_back(size); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  std::shared_ptr<State> state;
  size_t size;
  std::unique_ptr<std::byte[]> bytes;
};

void HeapReceiveBuffers::State::give_back(size_t size) {
  std::deque<Task> ask_again;
  {
    MutexLock lock(mutex);
    used -= size;
    ask_again.swap(waiting);
  }
  for (Task& task : ask_again) task();
}

ReceiveBuffer HeapReceiveBuffers::allocate(size_t size, Task when_room) {
  {
    MutexLock lock(state_->mutex);
    if (state_->used > 0 && state_->used + size > state_->budget) {
      if (when_room) state_->waiting.push_back(std::move(when_room));
      return {};
    }
    state_->used += size;
  }
  auto block = std::make_shared<Block>(state_, size);
  MutableByteSpan bytes(block->bytes.get(), size);
  return {bytes, std::move(block)};
}

}  // namespace topicfs::kafka
