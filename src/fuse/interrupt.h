// Interrupt: how a request that waits learns that its caller was interrupted, without the
// file system knowing libfuse.
#pragma once

#include <cstdint>

namespace topicfs::fuse {

/// What can be called off: an append that waits for room, a read that waits for data.
enum class Waiting { append, read };

/// `arm` is called when a request begins to wait, before it can be answered, with the number under
/// which Filesystem::interrupt calls the wait off; when it waits again, the last number counts.
/// It may call that at once, and holds no lock that answering a request takes.
struct Interrupt {
  void* request = nullptr;
  void (*arm)(void* request, Waiting what, uint64_t number) = nullptr;

  void operator()(Waiting what, uint64_t number) const {
    if (arm) arm(request, what, number);
  }
};

}  // namespace topicfs::fuse
