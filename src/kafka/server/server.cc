#include "kafka/server/server.h"

#include <fmt/format.h>

#include <asio/io_context.hpp>
#include <atomic>
#include <list>
#include <optional>
#include <vector>

#include "base/log.h"
#include "kafka/server/tcp_connection.h"

namespace topicfs::kafka {
namespace {

using asio::ip::tcp;

constexpr std::chrono::seconds kSweepInterval{1};
constexpr std::chrono::seconds kRefusedInterval{1};
/// After a failure to accept (no file descriptors) the next try waits this long.
constexpr std::chrono::milliseconds kAcceptBackoff{100};

Result<tcp::endpoint> resolve(asio::io_context& io, const ServerOptions& options) {
  asio::error_code error;
  tcp::resolver resolver(io);
  auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
  if (error || found.empty())
    return fail(Errc::kInvalidArgument, fmt::format("cannot resolve '{}' to listen on: {}", options.host, error.message()));
  return found.begin()->endpoint();
}

}  // namespace

/// One loop and the connections that live on it; `connections` is touched on the loop only.
struct Lane {
  std::shared_ptr<Loop> loop;
  std::list<std::shared_ptr<Connection>> connections;
  bool sweeping = false;  ///< only while there are connections: an idle gateway sleeps
};

class Server::Impl {
 public:
  Impl(Engine& engine, ReceiveBuffers& buffers, Clock& clock, Random& random, ServerOptions options)
      : options_(std::move(options)), clock_(clock), buffers_(buffers) {
    for (int i = 0; i < std::max(1, options_.threads); i++) lanes_.push_back({std::make_shared<Loop>(clock_), {}, false});
    gateway_ = std::make_shared<Gateway>(engine, options_.gateway, clock_, random, lanes_[0].loop);
  }
  ~Impl() { stop(); }

  Result<void> start() {
    asio::io_context& io = lanes_[0].loop->io();
    TRY_ASSIGN(tcp::endpoint endpoint, resolve(io, options_));
    acceptor_ = std::make_unique<tcp::acceptor>(io);
    asio::error_code error;
    acceptor_->open(endpoint.protocol(), error);
    if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_->bind(endpoint, error);
    if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
    if (error)
      return fail(error == asio::error::address_in_use ? Errc::kBusy : Errc::kIo,
                  fmt::format("cannot listen on {}:{}", options_.host, options_.port), error.value());
    port_ = acceptor_->local_endpoint(error).port();
    gateway_->groups->load([this] { accept(); });  // on lane 0's loop, where the acceptor is
    for (Lane& lane : lanes_) lane.loop->start();
    return {};
  }

  void stop() {
    if (stopped_.exchange(true)) return;
    for (Lane& lane : lanes_)
      lane.loop->post([this, &lane] {
        if (&lane == &lanes_[0] && acceptor_) acceptor_->close();
        auto open = lane.connections;
        for (auto& connection : open) connection->close("stopping");
      });
    wait_for_requests();
    for (Lane& lane : lanes_) lane.loop->stop();
  }

  uint16_t port() const { return port_; }
  size_t connections() const { return connections_; }

 private:
  void accept() {
    if (!acceptor_->is_open()) return;  // stopped before the groups had come
    Lane& lane = lanes_[next_lane_++ % lanes_.size()];
    accepting_ = true;
    acceptor_->async_accept(lane.loop->io(), [this, &lane](const asio::error_code& error, tcp::socket socket) {
      accepting_ = false;
      if (!acceptor_->is_open()) return;
      if (error) return accept_later(error.message());
      admit(lane, std::move(socket));
      accept();
    });
  }

  void accept_later(std::string_view why) {
    LOG_WARNING("cannot accept a connection: {}", why);
    Loop& loop = *lanes_[0].loop;
    loop.at(clock_.now() + kAcceptBackoff, [this] { accept(); });
  }

  void admit(Lane& lane, tcp::socket socket) {
    if (connections_ >= options_.max_connections) {
      tell_refused();
      return;  // closes it
    }
    connections_++;
    lane.loop->post([this, &lane, socket = std::make_unique<tcp::socket>(std::move(socket))]() mutable {
      if (stopped_) {  // the lane may have closed its connections already
        connections_--;
        return;
      }
      lane.connections.emplace_back();
      auto place = std::prev(lane.connections.end());
      *place = make_tcp_connection(std::move(*socket), gateway_, lane.loop, buffers_, {options_.max_request_bytes},
                                   [this, &lane, place] {
                                     auto last = std::move(*place);  // outlives its own call
                                     lane.connections.erase(place);
                                     connections_--;
                                     lane.loop->post([last = std::move(last)] {});
                                   });
      (*place)->start();
      if (!std::exchange(lane.sweeping, true)) sweep_later(lane);
    });
  }

  /// In a flood, one line a second.
  void tell_refused() {
    refused_++;
    MonotonicTime now = clock_.now();
    if (told_refused_ && now - *told_refused_ < kRefusedInterval) return;
    told_refused_ = now;
    LOG_WARNING("refusing connections, {} since the last such line: {} are open, the most that --max-connections allows",
                std::exchange(refused_, 0), options_.max_connections);
  }

  void sweep_later(Lane& lane) {
    lane.loop->at(clock_.now() + kSweepInterval, [this, &lane] {
      MonotonicTime now = clock_.now();
      for (auto at = lane.connections.begin(); at != lane.connections.end();) {
        auto connection = *at++;
        connection->check_progress(now);
      }
      lane.sweeping = !lane.connections.empty();
      if (lane.sweeping) sweep_later(lane);
    });
  }

  /// Connections live on while handlers hold their exchanges; the gateway counts them by its owners. An accept that has
  /// not ended has a socket of another loop, which may be gone before the acceptor's.
  void wait_for_requests() {
    auto deadline = clock_.now() + kStopTimeout;
    Mutex mutex;
    CondVar never;
    MutexLock lock(mutex);
    while ((accepting_ || connections_ > 0 || gateway_.use_count() > 1) && clock_.now() < deadline)
      never.wait_for(mutex, std::chrono::milliseconds(5));
  }

  const ServerOptions options_;
  Clock& clock_;
  ReceiveBuffers& buffers_;
  std::shared_ptr<Gateway> gateway_;  // shared with the connections
  std::vector<Lane> lanes_;
  std::unique_ptr<tcp::acceptor> acceptor_;
  size_t next_lane_ = 0;
  size_t refused_ = 0;  ///< and not told yet; on the acceptor's loop, like all around it
  std::optional<MonotonicTime> told_refused_;
  std::atomic<bool> accepting_ = false;  ///< the acceptor's loop owes a call
  std::atomic<size_t> connections_ = 0;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_ = false;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(Engine& engine, ReceiveBuffers& buffers, Clock& clock,
                                              Random& random, ServerOptions options) {
  auto impl = std::make_unique<Impl>(engine, buffers, clock, random, std::move(options));
  TRY(impl->start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

uint16_t Server::port() const { return impl_->port(); }
size_t Server::connections() const { return impl_->connections(); }
void Server::stop() { impl_->stop(); }

}  // namespace topicfs::kafka
