#include "ipc/server.h"

#include <poll.h>

#include <thread>

#include "base/log.h"
#include "ipc/server_connection.h"

namespace topicfs::ipc {
namespace {

/// How often the age of pins is looked at, while there are any.
constexpr int kPinAgeCheckMs = 1000;
/// And whether answers have waited for room for too long.
constexpr int kRoomCheckMs = 100;

class SocketServer final : public Server, public EngineListener {
 public:
  SocketServer(Engine& engine, Clock& clock, ServerOptions options, UniqueFd listener, std::shared_ptr<const Wake> wake,
               std::shared_ptr<EndsTableWriter> table)
      : engine_(engine),
        options_(std::move(options)),
        clock_(clock),
        listener_(std::move(listener)),
        wake_(std::move(wake)),
        table_(std::move(table)) {
    engine_.add_listener(this);
    thread_ = std::thread([this] { run(); });
  }

  ~SocketServer() override {
    stopping_ = true;
    wake_->signal();
    thread_.join();
    engine_.remove_listener(this);
    unlink_in(options_.directory);
  }

  ServerStatus status() override {
    auto connection = current();
    return connection ? connection->status() : ServerStatus{};
  }

  // EngineListener
  void on_durable(std::span<const PartitionId> partitions) override {
    if (auto connection = current()) connection->note_durable(partitions);
  }
  void on_trimmed(PartitionId partition) override {
    if (current()) table_->refresh(engine_, partition);
  }
  void on_topic_changed(const TopicPtr& topic) override {
    if (auto connection = current()) connection->note_topic(topic->id);
  }
  void on_topic_deleted(const TopicPtr& topic) override {
    for (auto& partition : topic->partitions) table_->refresh(engine_, partition.id);
    if (auto connection = current()) connection->note_topic(topic->id);
  }

 private:
  std::shared_ptr<Connection> current() {
    MutexLock lock(mutex_);
    return connection_;
  }
  void set_current(std::shared_ptr<Connection> connection) {
    MutexLock lock(mutex_);
    connection_.swap(connection);
  }

  void run();
  void wait(Connection* connection);
  void accept_gateway();
  Result<void> admit(UniqueFd socket);

  Engine& engine_;
  const ServerOptions options_;
  Clock& clock_;
  const UniqueFd listener_;
  const std::shared_ptr<const Wake> wake_;        // shared with completions that are on their way
  const std::shared_ptr<EndsTableWriter> table_;  // the same
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  std::shared_ptr<Connection> connection_ GUARDED_BY(mutex_);  // set by the loop alone
  std::thread thread_;
};

void SocketServer::run() {
  while (!stopping_) {
    auto connection = current();
    wait(connection.get());
    if (!connection) continue;
    connection->pump();
    connection->check_pin_age();
    if (connection->drained()) set_current(nullptr);
  }
  if (auto connection = current()) connection->close("the daemon stops");
  set_current(nullptr);
}

/// Sleeps until there is something to do, and does what came over sockets. While a gateway is there, or
/// holds memory after its end, others stay in the listener's queue.
void SocketServer::wait(Connection* connection) {
  pollfd fds[3] = {{wake_->fd(), POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
  auto& [wake, socket, process] = fds;
  if (!connection) {
    socket.fd = listener_.get();
  } else if (!connection->closed()) {
    socket.fd = connection->socket();
    socket.events = connection->wanted_events();
  } else {
    process.fd = connection->process();
  }
  bool lends = connection && !connection->closed() && connection->status().lent.pins > 0;
  int limit_ms = lends ? kPinAgeCheckMs : -1;
  if (connection && !connection->closed() && connection->has_waiting_bytes()) limit_ms = kRoomCheckMs;
  if (::poll(fds, 3, limit_ms) <= 0) return;
  if (wake.revents) wake_->drain();
  if (process.revents) connection->process_died();
  if (socket.revents && !connection) return accept_gateway();
  if (socket.revents & POLLIN) connection->read();
  else if (socket.revents & (POLLHUP | POLLERR)) connection->close("its socket was closed");
}

void SocketServer::accept_gateway() {
  auto socket = accept_next(listener_.get());
  if (!socket) return LOG_ERROR("{}", socket.error().message());
  if (!*socket) return;
  if (auto admitted = admit(std::move(*socket)); !admitted)
    LOG_WARNING("a gateway was turned away: {}", admitted.error().message());
}

Result<void> SocketServer::admit(UniqueFd socket) {
  TRY_ASSIGN(auto peer, peer_of(socket.get()));
  if (peer.uid != ::geteuid() && peer.uid != 0)
    return fail(Errc::kDenied, "user " + std::to_string(peer.uid) + " is neither the daemon's nor root");
  auto pid = peer.pid;
  TRY_ASSIGN(auto connection, Connection::open(std::move(socket), std::move(peer),
                                               {engine_, options_, table_, wake_, clock_}));
  set_current(connection);
  connection->queue_all_topics();
  connection->pump();
  LOG_INFO("gateway process {} connected", pid);
  return {};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Engine& engine, Clock& clock, ServerOptions options) {
  if (options.pool.base && (options.pool.chunk_bytes == 0 || options.pool.fd < 0))
    return fail(Errc::kInvalidArgument, "a pool to share needs its chunk size and its descriptor");
  TRY_ASSIGN(auto table, EndsTableWriter::create(options.table_rows));
  TRY_ASSIGN(auto wake, Wake::create());
  TRY_ASSIGN(auto listener, listen_in(options.directory));
  return std::make_unique<SocketServer>(engine, clock, std::move(options), std::move(listener),
                                        std::make_shared<const Wake>(std::move(wake)),
                                        std::shared_ptr<EndsTableWriter>(std::move(table)));
}

}  // namespace topicfs::ipc
