// Exchange: one request and the response that is being made for it. A handler gets a shared pointer
// to it and hands copies to whatever still has to happen; when the last copy is gone, from whichever
// thread, the response leaves. So a handler cannot forget to answer, nor answer twice.
//
// The connection owns the exchange itself, and keeps it and the bytes that its request views until
// the response is sent. Several threads may fill in different parts of one response.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "base/atomics.h"
#include "base/clock.h"
#include "kafka/wire/versions.h"
#include "kafka/wire/header.h"
#include "kafka/wire/receive_buffers.h"

namespace topicfs::kafka {

class Gateway;
class Exchange;

/// What an exchange knows about its connection.
struct Peer {
  std::string client_address;   ///< "127.0.0.1:52344"
  std::string local_host;       ///< the address that the client reached us at
  uint16_t local_port = 0;
};

/// Where answered exchanges go. Thread-safe.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  virtual void finished(Exchange& exchange) = 0;
  virtual const Peer& peer() const = 0;
  /// Runs tasks on the connection's thread.
  virtual Executor& executor() = 0;
};

class Exchange {
 public:
  enum class Outcome : uint8_t {
    respond,
    stay_silent,  ///< Produce with acks=0
    close,        ///< end the connection instead
  };

  virtual ~Exchange() = default;
  /// False, with the reader's fault set, if the request's bytes are not of its version.
  virtual bool decode_request(Reader& r) = 0;
  /// Gives the exchange to its handler; `sink` hears of it once, at once or later.
  virtual void run(Gateway& gateway, std::shared_ptr<ExchangeSink> sink) = 0;
  /// The whole response frame.
  virtual void encode_response(Writer& w) = 0;
  virtual std::string trace_request() const = 0;
  virtual std::string trace_response() const = 0;

  void throttle_for(std::chrono::milliseconds at_least) { raise_to(throttle, at_least); }

  RequestHeader header;
  Encoding encoding;
  ReceiveBuffer bytes;  ///< what the request views
  std::shared_ptr<const void> kept;  ///< what the response views besides
  std::atomic<Outcome> outcome = Outcome::respond;
  /// The response asks the client to pause for so long, and the connection reads nothing for that time (KIP-219).
  std::atomic<std::chrono::milliseconds> throttle{};
  bool is_finished = false;  ///< the connection's own note
  /// Set by a handler that waits for something: the connection calls it, on its thread, if it ends
  /// before the exchange does. The handler then lets go of the exchange soon.
  Task on_abandoned;
  ExchangeSink* sink = nullptr;  ///< while it runs
};

/// Its codecs are in call.h.
template <class Req, class Resp>
class Call final : public Exchange {
 public:
  Req request;
  Resp response;
  int16_t version() const { return encoding.version; }

  bool decode_request(Reader& r) override;
  void run(Gateway& gateway, std::shared_ptr<ExchangeSink> to) override;
  void encode_response(Writer& w) override;
  std::string trace_request() const override;
  std::string trace_response() const override;
};

template <class Req, class Resp>
using CallPtr = std::shared_ptr<Call<Req, Resp>>;

/// The exchange for a request's header. Each handler's file instantiates it for its own API, so that a change of one
/// message compiles one handler.
template <class Req, class Resp>
std::unique_ptr<Exchange> new_call(const RequestHeader& header);

}  // namespace topicfs::kafka
