#include "ipc/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"
#include "ipc/client_socket.h"
#include "ipc/socket.h"

namespace topicfs::ipc {
namespace {

tl::unexpected<Error> nonsense(std::string_view what) {
  return fail(Errc::kCorrupt, "the daemon sent " + std::string(what) + "; are both programs of one version?");
}

int to_poll_ms(std::chrono::nanoseconds d) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(d).count());
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(const std::string& directory, Clock& clock, ClientOptions options) {
  TRY_ASSIGN(auto socket, connect_in(directory));
  TRY_ASSIGN(auto wake, Wake::create());
  auto client = std::make_unique<SocketClient>(std::move(socket), std::make_shared<const Wake>(std::move(wake)), clock,
                                               std::move(options));
  TRY(client->begin());
  return client;
}

SocketClient::SocketClient(UniqueFd socket, std::shared_ptr<const Wake> wake, Clock& clock, ClientOptions options)
    : socket_(std::move(socket)),
      wake_(std::move(wake)),
      clock_(clock),
      options_(std::move(options)),
      outbox_(socket_.get(), *wake_, clock_),
      pins_(std::make_shared<PinReturns>(wake_)) {}

SocketClient::~SocketClient() {
  stopping_ = true;
  wake_->signal();
  if (thread_.joinable()) thread_.join();
}

Result<void> SocketClient::begin() {
  outbox_.put(0, Hello{}, Outbox::Hurry::yes);
  auto deadline = clock_.now() + options_.connect_timeout;
  while (!ready_) {
    auto left = deadline - clock_.now();
    pollfd socket{socket_.get(), POLLIN, 0};
    if (left <= left.zero() || ::poll(&socket, 1, to_poll_ms(left)) == 0)
      return fail(Errc::kTimedOut, "the daemon does not greet us; another gateway is connected to it");
    TRY(read());
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

// ---- the loop

void SocketClient::run() {
  outbox_.adopt_loop();
  Error why{Errc::kClosed, 0, "the gateway stops"};
  while (!stopping_) {
    bool blocked = outbox_.blocked();
    pollfd fds[2] = {{wake_->fd(), POLLIN, 0},
                     {socket_.get(), static_cast<short>(POLLIN | (blocked ? POLLOUT : 0)), 0}};
    ::poll(fds, 2, pins_->held() > 0 ? to_poll_ms(kReturnsInterval) : -1);
    if (fds[0].revents) wake_->drain();
    if (fds[1].revents & ~POLLOUT) {
      if (auto good = read(); !good) {
        why = {Errc::kClosed, 0, "the daemon is gone: " + good.error().message()};
        break;
      }
    }
    send_queued();
    send_returned_pins();
    outbox_.flush();
    if (outbox_.dead()) {
      why = {Errc::kClosed, 0, "the daemon does not take what it is sent"};
      break;
    }
  }
  send_returned_pins();
  outbox_.flush();
  end_everything(why);
  if (!stopping_ && options_.on_closed) options_.on_closed(why);
}

void SocketClient::send_returned_pins() {
  auto returned = pins_->take();
  if (!returned.empty()) outbox_.put(0, Release{std::move(returned)}, Outbox::Hurry::no);
}

void SocketClient::end_everything(const Error& error) {
  outbox_.close();
  closed_ = true;
  for (auto& waiter : calls_.end_all()) end_with(std::move(waiter), error);
  std::deque<Queued> dropped;
  MutexLock lock(queue_mutex_);
  dropped.swap(queue_);
}

Result<void> SocketClient::read() {
  auto space = in_.space();
  ssize_t n = 0;
  if (welcomed_) {
    n = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (n < 0) return fail_errno("its socket failed", errno);
  } else {
    TRY_ASSIGN(auto got, receive_with_fds(socket_.get(), space, received_fds_));
    n = static_cast<ssize_t>(got);
  }
  if (n == 0) return fail(Errc::kClosed, "it closed the connection");
  in_.filled(static_cast<size_t>(n));
  return obey_all();
}

Result<void> SocketClient::obey_all() {
  for (;;) {
    TRY_ASSIGN(auto frame, in_.next());
    if (!frame) return {};
    if (!welcomed_ && frame->header.verb != Verb::welcome) return nonsense("no welcome");
    TRY(obey(*frame));
  }
}

Result<void> SocketClient::obey(const FrameBuffer::Frame& frame) {
  switch (frame.header.verb) {
    case Verb::welcome: return obey_welcome(frame);
    case Verb::ready: ready_ = true; return {};
    case Verb::topic_changed: return obey_topic_changed(frame);
    case Verb::topic_deleted: return obey_topic_deleted(frame);
    case Verb::durable: return obey_durable(frame);
    case Verb::appended: return finish_with<AppendedAnswer>(frame, [](auto& m) { return m.appended; });
    case Verb::number: return finish_with<Number>(frame, [](auto& m) { return m.value; });
    case Verb::leader_epochs: return finish_with<LeaderEpochs>(frame, [](auto& m) { return std::move(m.epochs); });
    case Verb::timestamp: return finish_with<Timestamp>(frame, [](auto& m) { return m.found; });
    case Verb::text: return finish_with<Text>(frame, [](auto& m) { return std::move(m.text); });
    case Verb::offsets: return finish_with<Offsets>(frame, [](auto& m) { return std::move(m.offsets); });
    case Verb::groups: return finish_with<Groups>(frame, [](auto& m) { return std::move(m.groups); });
    case Verb::done: return finish<void>(frame.header.request, {});
    case Verb::bytes: return obey_bytes(frame);
    case Verb::topic_done: {
      TRY_ASSIGN(auto message, decode<TopicDone>(frame.payload));
      if (auto topic = mirror_.find(message.topic)) return finish<TopicPtr>(frame.header.request, topic);
      return finish<TopicPtr>(frame.header.request, fail(Errc::kNotFound, "the topic was deleted meanwhile"));
    }
    case Verb::failed: {
      TRY_ASSIGN(auto message, decode<Failed>(frame.payload));
      end_with(calls_.end(frame.header.request), message.error);
      return {};
    }
    default: return nonsense("a request");
  }
}

Result<void> SocketClient::obey_welcome(const FrameBuffer::Frame& frame) {
  // Of another version nothing but magic and version can be read.
  TRY_ASSIGN(auto start, decode_with_tail<Hello>(frame.payload));
  if (start.first.magic != kMagic || start.first.version != kVersion)
    return fail(Errc::kUnsupported, "the daemon is of another version of topicfs; install both from one release");
  TRY_ASSIGN(auto message, decode<Welcome>(frame.payload));
  size_t expected = message.pool_bytes ? 4 : 3;
  if (welcomed_ || received_fds_.size() != expected) return nonsense("a greeting without its memory");
  if (message.arena_bytes < 4 * Slabs::kSlabBytes || message.table_rows > kEndsTableRows)
    return nonsense("an impossible greeting");
  auto map = [&](size_t i, uint64_t size, SharedMemory::Access access) -> Result<std::shared_ptr<SharedMemory>> {
    TRY_ASSIGN(auto memory, SharedMemory::map(std::move(received_fds_[i]), size, access));
    return std::make_shared<SharedMemory>(std::move(memory));
  };
  TRY_ASSIGN(arena_, map(0, message.arena_bytes, SharedMemory::Access::read_write));
  TRY_ASSIGN(bounce_, map(1, message.bounce_bytes, SharedMemory::Access::read));
  TRY_ASSIGN(auto table, SharedMemory::map(std::move(received_fds_[2]), message.table_rows * sizeof(EndsRow),
                                           SharedMemory::Access::read));
  table_ = std::make_unique<EndsTableReader>(std::move(table), message.table_rows);
  if (message.pool_bytes) {
    TRY_ASSIGN(pool_, map(3, message.pool_bytes, SharedMemory::Access::read));
  }
  received_fds_.clear();
  store_id_ = message.store_id;
  leader_epoch_ = message.leader_epoch;
  auto all = arena_->bytes();
  copies_bytes_ = all.size() / 2 / Slabs::kSlabBytes * Slabs::kSlabBytes;
  receive_bytes_ = all.size() - copies_bytes_;
  receive_ = Slabs::create(all.first(receive_bytes_), arena_);
  copies_ = Slabs::create(all.subspan(receive_bytes_), arena_);
  welcomed_ = true;
  return {};
}

template <class T>
Result<void> SocketClient::finish(uint64_t request, Result<T> result) {
  auto waiter = calls_.end(request);
  if (std::holds_alternative<std::monostate>(waiter)) return nonsense("an answer to nothing");
  if (auto* done = std::get_if<Completion<T>>(&waiter)) {
    (*done)(std::move(result));
    return {};
  }
  auto error = nonsense("an answer to another question");
  end_with(std::move(waiter), error.value());
  return error;
}

template <class Message, class Get>
Result<void> SocketClient::finish_with(const FrameBuffer::Frame& frame, Get get) {
  TRY_ASSIGN(auto message, decode<Message>(frame.payload));
  return finish<decltype(get(message))>(frame.header.request, get(message));
}

Result<Bytes> SocketClient::bytes_of(const BytesAnswer& answer, ByteSpan tail) {
  auto own = std::make_shared<std::vector<std::byte>>(tail.begin(), tail.end());
  Bytes out;
  for (auto& piece : answer.pieces) {
    ByteSpan all = *own;
    if (piece.in == PieceIn::pool) all = pool_ ? pool_->bytes() : ByteSpan{};
    if (piece.in == PieceIn::bounce) all = bounce_->bytes();
    if (!within(piece.offset, piece.size, all.size())) return nonsense("bytes outside of its memory");
    out.pieces.push_back(all.subspan(piece.offset, piece.size));
    out.size += piece.size;
  }
  if (answer.pin == 0) {
    out.pin = std::move(own);
    return out;
  }
  // One owner for whatever the pieces refer to; the memories stay mapped with it.
  auto memory = std::make_shared<std::array<std::shared_ptr<const void>, 3>>();
  *memory = {std::move(own), pool_, bounce_};
  out.pin = pins_->make(answer.pin, std::move(memory));
  return out;
}

Result<void> SocketClient::obey_bytes(const FrameBuffer::Frame& frame) {
  TRY_ASSIGN(auto answer, decode_with_tail<BytesAnswer>(frame.payload));
  TRY_ASSIGN(auto bytes, bytes_of(answer.first, answer.second));
  auto waiter = calls_.end(frame.header.request);
  auto& ends = answer.first.ends;
  if (auto* read = std::get_if<Completion<TextRead>>(&waiter)) {
    (*read)(TextRead{std::move(bytes), ends});
  } else if (auto* fetched = std::get_if<Completion<Fetched>>(&waiter)) {
    (*fetched)(Fetched{std::move(bytes), ends});
  } else {
    end_with(std::move(waiter), nonsense("bytes that nobody asked for").value());
    return nonsense("bytes that nobody asked for");
  }
  return {};
}

// ---- events

Result<void> SocketClient::obey_topic_changed(const FrameBuffer::Frame& frame) {
  TRY_ASSIGN(auto message, decode<TopicChanged>(frame.payload));
  auto topic = std::make_shared<const TopicInfo>(std::move(message.topic));
  mirror_.put(topic);
  MutexLock lock(listeners_mutex_);
  for (auto* listener : listeners_) listener->on_topic_changed(topic);
  return {};
}

Result<void> SocketClient::obey_topic_deleted(const FrameBuffer::Frame& frame) {
  TRY_ASSIGN(auto message, decode<TopicDeleted>(frame.payload));
  auto topic = mirror_.remove(message.topic);
  if (!topic) return {};  // made and deleted between two looks of the daemon
  MutexLock lock(listeners_mutex_);
  for (auto* listener : listeners_) listener->on_topic_deleted(topic);
  return {};
}

Result<void> SocketClient::obey_durable(const FrameBuffer::Frame& frame) {
  TRY_ASSIGN(auto message, decode<Durable>(frame.payload));
  MutexLock lock(listeners_mutex_);
  for (auto* listener : listeners_) {
    for (auto partition : message.partitions) listener->on_visible(partition);
    listener->on_durable(message.partitions);
  }
  return {};
}

}  // namespace topicfs::ipc
