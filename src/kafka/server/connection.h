// Connection: one client. Requests are decoded and handed to their handlers in order; responses leave
// in the order of the requests, as many as are ready in one gather write.
//
// Produce requests are pipelined: the next one is submitted while earlier ones wait for their sync.
// Any other request starts when all before it are answered, and nothing overtakes it, as in Kafka.
// That also bounds what a client that does not read can make us hold: one response, or the small ones
// of kMaxPipelined produce requests.
//
// Clients that are slow in either direction must not hold what others wait for: after kSlowPatience the part of a
// request moves out of the shared buffers, and what is left of a response is copied, so that the engine gets back the
// memory that it refers to. Both have budgets; beyond them, and without progress, the connection is closed.
#pragma once

#include <memory>

#include "kafka/handlers/exchange.h"
#include "kafka/handlers/gateway.h"
#include "kafka/server/loop.h"

namespace topicfs::kafka {

inline constexpr size_t kMaxPipelined = 256;                  ///< requests
inline constexpr size_t kMaxPipelinedBytes = 64 << 20;        ///< of requests, beyond the first
inline constexpr std::chrono::seconds kStallTimeout{30};      ///< without progress inside a frame or a response
inline constexpr std::chrono::seconds kSlowPatience{2};
inline constexpr size_t kMinBytesPerSecond = 1024;            ///< of a request, once it has taken kStallTimeout
inline constexpr std::chrono::minutes kIdleTimeout{10};       ///< Kafka's connections.max.idle.ms

class Connection : public ExchangeSink {
 public:
  /// Called on the connection's loop.
  virtual void start() = 0;
  virtual void close(std::string_view why) = 0;
  /// Takes the memory of others from a connection that is slow, and closes one that has stalled or idled for too long.
  virtual void check_progress(MonotonicTime now) = 0;
};

struct ConnectionOptions {
  size_t max_request_bytes = 0;
};

}  // namespace topicfs::kafka
