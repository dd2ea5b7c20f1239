#include "kafka/server/tcp_connection.h"

#include <fmt/format.h>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <deque>

#include "base/log.h"
#include "kafka/handlers/dispatch.h"
#include "kafka/messages/produce.h"
#include "kafka/server/frame_reader.h"

namespace topicfs::kafka {
namespace {

using asio::ip::tcp;

/// Responses are gathered into one write up to this many bytes.
constexpr size_t kWriteBatchBytes = 1 << 20;

/// A coroutine waits here until another function of the same loop opens it, which may be before.
class Gate {
 public:
  explicit Gate(asio::io_context& io) : timer_(io, asio::steady_timer::time_point::max()) {}
  asio::awaitable<void> wait() {
    if (!is_open_) {
      asio::error_code cancelled;
      auto token = asio::redirect_error(asio::use_awaitable, cancelled);
      auto waiting = timer_.async_wait(token);
      co_await std::move(waiting);
    }
    is_open_ = false;
  }
  void open() {
    is_open_ = true;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  bool is_open_ = false;
};

/// Buffers that are not copied when Asio copies the sequence.
struct BufferView {
  using value_type = asio::const_buffer;
  using const_iterator = const asio::const_buffer*;
  const_iterator first, last;
  const_iterator begin() const { return first; }
  const_iterator end() const { return last; }
};

std::string host_of(const tcp::endpoint& endpoint) { return endpoint.address().to_string(); }

class TcpConnection final : public Connection, public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(tcp::socket socket, std::shared_ptr<Gateway> gateway, std::shared_ptr<Loop> loop,
                ReceiveBuffers& buffers, ConnectionOptions options, Task on_closed)
      : gateway_(std::move(gateway)),
        loop_(std::move(loop)),
        socket_(std::move(socket)),
        frames_(buffers, options.max_request_bytes, [this] { return wake_when_room(); }),
        read_gate_(loop_->io()),
        write_gate_(loop_->io()),
        on_closed_(std::move(on_closed)) {}

  void start() override {
    asio::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    auto remote = socket_.remote_endpoint(ignored);
    auto local = socket_.local_endpoint(ignored);
    peer_.client_address = fmt::format("{}:{}", host_of(remote), remote.port());
    peer_.local_host = host_of(local);
    peer_.local_port = local.port();
    last_progress_ = gateway_->clock.now();
    asio::co_spawn(loop_->io(), read_loop(shared_from_this()), asio::detached);
    asio::co_spawn(loop_->io(), write_loop(shared_from_this()), asio::detached);
  }

  void close(std::string_view why) override {
    if (!open_) return;
    open_ = false;
    LOG_DEBUG("{}: closed: {}", peer_.client_address, why);
    asio::error_code ignored;
    socket_.close(ignored);
    read_gate_.open();
    write_gate_.open();
    std::vector<Task> abandoned;
    for (auto& exchange : exchanges_)
      if (exchange->on_abandoned) abandoned.push_back(std::move(exchange->on_abandoned));
    for (Task& task : abandoned) task();
    drop_finished();
    if (on_closed_) std::exchange(on_closed_, nullptr)();
  }

  void check_progress(MonotonicTime now) override {
    auto quiet = now - last_progress_;
    bool waits_for_request = !is_writing_ && exchanges_.empty() && frames_.waits_for_client();
    if (is_writing_ && quiet > kStallTimeout) {
      abort(fmt::format("no part of a response was taken for {} s", kStallTimeout.count()));
    } else if (waits_for_request && (quiet > kStallTimeout || trickles(now))) {
      abort(fmt::format("no whole request within {} s", kStallTimeout.count()));
    } else if (!is_writing_ && exchanges_.empty() && quiet > kIdleTimeout) {
      close("idle");
    } else {
      must_copy_ = is_writing_ && !is_copied_ && now - write_began_ > kSlowPatience;
      must_slow_down_ = frames_.is_quick() && now - frame_began_ > kSlowPatience;
      asio::error_code ignored;
      if (must_copy_ || must_slow_down_) socket_.cancel(ignored);  // what is under way begins again
    }
  }

  void finished(Exchange& exchange) override {
    if (loop_->is_current()) return on_finished(exchange);
    loop_->post([self = shared_from_this(), &exchange] { self->on_finished(exchange); });
  }
  const Peer& peer() const override { return peer_; }
  Executor& executor() override { return *loop_; }

 private:
  // ---- requests

  asio::awaitable<void> read_loop(std::shared_ptr<TcpConnection> /* keeps this alive */) {
    while (open_) {
      start_requests();
      if (std::exchange(must_slow_down_, false) && open_)
        if (auto slowed = frames_.slow_down(); !slowed) refuse(slowed.error().what);
      if (!open_) break;
      if (is_refusing_ || is_muted() || !frames_.wants_bytes()) {
        auto waiting = read_gate_.wait();
        co_await std::move(waiting);
        continue;
      }
      auto space = frames_.space();
      std::array<asio::mutable_buffer, 2> into{asio::buffer(space[0].data(), space[0].size()),
                                               asio::buffer(space[1].data(), space[1].size())};
      asio::error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      auto reading = socket_.async_read_some(into, token);
      size_t size = co_await std::move(reading);
      if (error == asio::error::operation_aborted && open_) continue;
      if (error) break;
      last_progress_ = gateway_->clock.now();
      if (!frames_.is_inside_frame()) frame_began_ = last_progress_;
      frames_.received(size);
    }
    close("the client has gone");
  }

  /// Starts whatever has come and may start now. Runs whenever either changes.
  void start_requests() {
    while (open_ && !is_refusing_ && !is_muted()) {
      if (!next_frame_) {
        auto frame = frames_.next();
        if (!frame) return refuse(frame.error().what);
        if (!*frame) return;
        frame_began_ = gateway_->clock.now();  // the next one
        next_frame_ = std::move(**frame);
      }
      if (!may_start(*next_frame_)) return;
      Frame frame = std::move(*next_frame_);
      next_frame_.reset();
      start_request(std::move(frame));
    }
  }

  bool may_start(const Frame& frame) const {
    size_t under_way = exchanges_.size() + unsent_;
    if (under_way == 0) return true;
    return is_pipelining_ && frame.api_key == ProduceRequest::key && under_way < kMaxPipelined &&
           pipelined_bytes_ + frame.buffer.bytes.size() <= kMaxPipelinedBytes;
  }

  void start_request(Frame frame) {
    Reader r(frame.buffer.bytes);
    RequestHeader header = read_header(r);
    auto exchange = new_exchange(header);
    exchange->bytes = std::move(frame.buffer);
    if (exchange->encoding.flexible) read_header_tags(r);
    if (!r.ok() || !exchange->decode_request(r))
      return refuse(fmt::format("API key {} version {}: {}", header.api_key, header.api_version, r.fault()));
    if (log_enabled(LogLevel::debug))
      LOG_DEBUG("{}: key {} version {} id {}: {}", peer_.client_address, header.api_key, header.api_version,
                header.correlation_id, exchange->trace_request());
    is_pipelining_ = header.api_key == ProduceRequest::key;
    pipelined_bytes_ += exchange->bytes.bytes.size();
    Exchange& running = *exchanges_.emplace_back(std::move(exchange));
    running.run(*gateway_, shared_from_this());
  }

  /// A request that cannot be served ends the connection, behind the answers to those before it.
  void refuse(std::string_view why) {
    LOG_WARNING("{}: closing: {}", peer_.client_address, why);
    is_refusing_ = true;
    write_gate_.open();
  }

  bool trickles(MonotonicTime now) const {
    auto age = std::chrono::duration_cast<std::chrono::seconds>(now - frame_began_);
    return age > kStallTimeout && frames_.bytes_of_frame() < static_cast<size_t>(age.count()) * kMinBytesPerSecond;
  }

  /// At once: the kernel too forgets what it had for a client that does not take it.
  void abort(std::string_view why) {
    LOG_WARNING("{}: closing: {}", peer_.client_address, why);
    asio::error_code ignored;
    socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    close(why);
  }

  Task wake_when_room() {
    return [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) return;
      Loop& loop = *self->loop_;
      loop.post([self = std::move(self)] { self->proceed(); });
    };
  }

  /// Nothing more is read or started for so long; what has been answered leaves (KIP-219).
  void mute(std::chrono::milliseconds time) {
    if (time.count() == 0) return;
    muted_until_ = std::max(muted_until_, gateway_->clock.now() + time);
    loop_->at(muted_until_, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->proceed();
    });
  }
  bool is_muted() const { return gateway_->clock.now() < muted_until_; }

  void proceed() {
    start_requests();
    read_gate_.open();
  }

  // ---- responses

  void on_finished(Exchange& exchange) {
    exchange.is_finished = true;
    if (open_) write_gate_.open();
    else drop_finished();
  }

  /// After the end: exchanges go as their handlers let go of them.
  void drop_finished() {
    std::erase_if(exchanges_, [](const auto& exchange) { return exchange->is_finished; });
  }

  asio::awaitable<void> write_loop(std::shared_ptr<TcpConnection> /* keeps this alive */) {
    while (open_) {
      std::vector<Writer> responses = collect();
      if (!open_) break;
      if (responses.empty()) {
        if (is_refusing_ && exchanges_.empty()) break;
        auto waiting = write_gate_.wait();
        co_await std::move(waiting);
        continue;
      }
      auto writing = write(responses);
      co_await std::move(writing);
      unsent_ = 0;
      responses.clear();
      if (open_) proceed();
    }
    close("closed by us");
  }

  /// The responses that are next in order and ready, up to kWriteBatchBytes.
  std::vector<Writer> collect() {
    std::vector<Writer> responses;
    size_t size = 0;
    bool has_silent = false;
    while (open_ && size < kWriteBatchBytes && !exchanges_.empty() && exchanges_.front()->is_finished) {
      std::unique_ptr<Exchange> exchange = std::move(exchanges_.front());
      exchanges_.pop_front();
      pipelined_bytes_ -= exchange->bytes.bytes.size();
      mute(exchange->throttle);
      has_silent = true;
      if (exchange->outcome == Exchange::Outcome::stay_silent) continue;
      if (exchange->outcome == Exchange::Outcome::close) {
        exchanges_.emplace_front(std::move(exchange));
        pipelined_bytes_ += exchanges_.front()->bytes.bytes.size();
        if (responses.empty()) close("an append without acknowledgement failed");
        break;
      }
      Writer& w = responses.emplace_back();
      exchange->encode_response(w);
      if (!w.ok()) {
        LOG_ERROR("{}: bug: cannot encode the response for API key {}: {}", peer_.client_address,
                  exchange->header.api_key, w.fault());
        close("no response");
        break;
      }
      size += w.size();
    }
    unsent_ = responses.size();
    if (has_silent && responses.empty() && open_) proceed();
    return responses;
  }

  asio::awaitable<void> write(std::vector<Writer>& responses) {
    std::vector<asio::const_buffer> pieces;
    std::string copy;
    Budget::Share share;  // what the copy takes
    for (const Writer& w : responses)
      w.for_each_piece([&](ByteSpan piece) { pieces.push_back(asio::buffer(piece.data(), piece.size())); });
    is_writing_ = true;
    is_copied_ = must_copy_ = false;
    last_progress_ = write_began_ = gateway_->clock.now();
    for (BufferView rest{pieces.data(), pieces.data() + pieces.size()}; rest.first != rest.last;) {
      asio::error_code error;
      auto token = asio::redirect_error(asio::use_awaitable, error);
      auto sending = socket_.async_write_some(rest, token);
      size_t sent = co_await std::move(sending);
      bool begins_again = error == asio::error::operation_aborted && open_;
      if (error && !begins_again) {
        close("the client does not take its responses");
        break;
      }
      if (sent > 0) last_progress_ = gateway_->clock.now();
      auto* piece = pieces.data() + (rest.first - pieces.data());
      while (piece != rest.last && sent >= piece->size()) sent -= (piece++)->size();
      if (sent > 0) *piece += sent;
      rest.first = piece;
      if (std::exchange(must_copy_, false) && !is_copied_) {
        is_copied_ = true;
        size_t left = 0;
        for (auto* p = piece; p != rest.last; p++) left += p->size();
        share = gateway_->slow_readers.take(left);
        if (!share) {
          abort(fmt::format("too slow for a response, of which {} bytes are left, while others are as well", left));
          break;
        }
        copy.reserve(left);
        for (auto* p = piece; p != rest.last; p++) copy.append(static_cast<const char*>(p->data()), p->size());
        responses.clear();  // and with it the pins
        pieces.assign(1, asio::buffer(copy));
        rest = {pieces.data(), pieces.data() + 1};
      }
    }
    is_writing_ = false;
  }

  const std::shared_ptr<Gateway> gateway_;
  const std::shared_ptr<Loop> loop_;
  tcp::socket socket_;
  FrameReader frames_;
  Gate read_gate_, write_gate_;
  Task on_closed_;
  Peer peer_;
  bool open_ = true;
  bool is_refusing_ = false;
  bool is_writing_ = false;
  bool must_copy_ = false, is_copied_ = false;  ///< what is being written
  bool must_slow_down_ = false;                 ///< the request on its way
  MonotonicTime write_began_{0}, frame_began_{0}, muted_until_{0};
  bool is_pipelining_ = false;  ///< all exchanges are of Produce
  std::optional<Frame> next_frame_;  ///< came, and waits for its turn
  std::deque<std::unique_ptr<Exchange>> exchanges_;
  size_t unsent_ = 0;  ///< responses that are being written
  size_t pipelined_bytes_ = 0;
  MonotonicTime last_progress_{0};
};

}  // namespace

std::shared_ptr<Connection> make_tcp_connection(tcp::socket socket, std::shared_ptr<Gateway> gateway,
                                                std::shared_ptr<Loop> loop, ReceiveBuffers& buffers,
                                                ConnectionOptions options, Task on_closed) {
  return std::make_shared<TcpConnection>(std::move(socket), std::move(gateway), std::move(loop), buffers, options,
                                         std::move(on_closed));
}

}  // namespace topicfs::kafka
