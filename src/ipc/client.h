// Client: the engine, as the gateway has it: the same interface over the daemon's socket and shared
// memory. The catalog is mirrored here and the ends of partitions stand in shared memory, so look-ups
// cost no message; everything else is one small frame there and one back, many at a time. What is
// fetched stays in the daemon's pool, and is read where it lies.
//
// Differences from the engine itself: `on_visible` comes when the append has become durable, together
// with `on_durable`; when the daemon goes away everything ends with kClosed.
#pragma once

#include <memory>
#include <string>

#include <topicfs/engine.h>

#include "base/clock.h"
#include "ipc/slabs.h"

namespace topicfs::ipc {

struct ClientOptions {
  /// For the greeting and the catalog; also the time that an older gateway has to disappear.
  std::chrono::seconds connect_timeout{30};
  /// Called once, on the client's thread, after everything has ended with kClosed: time to exit.
  /// Not called when the client is destroyed first.
  UniqueFunction<void(const Error&)> on_closed;
};

/// All verbs are thread-safe. Completions and listeners are called on the client's thread, or in the
/// verb when it can be answered at once. A listener must not remove itself from within its own call.
class Client : public Engine {
 public:
  /// To the daemon whose data directory this is. kUnavailable: no daemon; kTimedOut: another gateway
  /// is connected; kUnsupported: the daemon is of another version.
  static Result<std::unique_ptr<Client>> connect(const std::string& directory, Clock& clock,
                                                 ClientOptions options);

  /// Memory to receive requests into: an append of bytes that stand in it is not copied on this side.
  /// The buffer must live until such appends are answered only as far as its owner says: the client
  /// keeps it as long as the daemon may read it. Without room: an empty buffer, and `when_room` is
  /// called once, on any thread, when it is worth asking again. Beyond max_buffer_bytes() there is
  /// never room.
  virtual SlabBuffer allocate_buffer(size_t size, Task when_room) = 0;
  virtual size_t max_buffer_bytes() const = 0;
};

}  // namespace topicfs::ipc
