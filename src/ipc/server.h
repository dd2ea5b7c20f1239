// Server: the daemon's end of the gateway's socket. It serves an Engine to one gateway at a time, from
// a thread of its own: verbs arrive as small frames, batches in an arena that the gateway fills, and
// what is read leaves as references into the pool, without passing through the socket. Nothing that
// the gateway writes is trusted; the worst it can do is to lose its connection.
#pragma once

#include <memory>
#include <string>

#include <topicfs/engine.h>

#include "base/clock.h"
#include "ipc/ends_table.h"
#include "ipc/pin_ledger.h"

namespace topicfs::ipc {

struct ServerOptions {
  std::string directory;  ///< the socket's: the data directory, which the caller has locked
  PoolView pool;          ///< must outlive the server

  /// Batches on their way in: a half for requests as they come, a half for copies of what came otherwise. A producer
  /// that never waits fills all of the first; more of it would be memory, not speed.
  size_t arena_bytes = 32 << 20;
  size_t bounce_bytes = 32 << 20;  ///< copies of what is not in the pool, on their way out
  uint64_t table_rows = kEndsTableRows;
  uint32_t pin_budget_percent = 25;  ///< of the pool: more than that is copied, not lent
  /// A gateway that does not let go of bytes for so long loses its connection: it leaks them, or stands still. One that
  /// works lets go within seconds, because it copies what slow clients leave. One that is stopped for less goes on as
  /// if nothing had been: what it holds meanwhile is bounded by the budget, whatever its age.
  std::chrono::seconds pin_age_max{60};
  /// An answer that finds no room for its bytes for so long becomes kFull: the gateway may hold, for a response that it
  /// puts together, the very memory that the rest of it waits for.
  std::chrono::milliseconds room_patience{300};
};

struct ServerStatus {
  bool connected = false;
  int gateway_pid = 0;
  size_t in_flight = 0;  ///< requests that are not answered
  PinLedger::Lent lent;
};

class Server {
 public:
  /// Listens, and serves until it is destroyed. kIo, kInvalidArgument (no such directory).
  /// `engine` outlives the server; `clock` outlives the engine's last answer too.
  static Result<std::unique_ptr<Server>> start(Engine& engine, Clock& clock, ServerOptions options);
  /// The gateway is cut off; appends that wait for room are cancelled. Answers of the engine that come
  /// later are dropped; the engine may be destroyed when it has given them.
  virtual ~Server() = default;

  virtual ServerStatus status() = 0;
};

}  // namespace topicfs::ipc
