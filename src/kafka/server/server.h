// Server: listens for Kafka clients and serves them from an engine.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <topicfs/engine.h>

#include "kafka/handlers/gateway.h"
#include "kafka/wire/receive_buffers.h"

namespace topicfs::kafka {

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< address or name to listen on
  uint16_t port = 9092;            ///< 0: any free one, see Server::port()
  int threads = 2;
  size_t max_connections = 1000;
  size_t max_request_bytes = (100 << 20) + 4096;  ///< a produce request; Kafka's socket.request.max.bytes
  GatewaySettings gateway;
};

class Server {
 public:
  /// Listens, and serves on threads of its own as soon as it has read what is kept of consumer groups. What is passed by reference outlives the server, and
  /// the engine answers, or drops, all completions before it ends. kInvalidArgument (host), kBusy (port), kIo.
  static Result<std::unique_ptr<Server>> start(Engine& engine, ReceiveBuffers& buffers, Clock& clock, Random& random,
                                               ServerOptions options);
  /// Stops.
  ~Server();
  uint16_t port() const;
  size_t connections() const;
  /// Closes all connections, waits up to kStopTimeout for requests that the engine still works on,
  /// and ends the threads. Appends that were submitted stay submitted.
  void stop();
  static constexpr std::chrono::seconds kStopTimeout{5};

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace topicfs::kafka
