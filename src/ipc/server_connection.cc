#include "ipc/server_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/log.h"

namespace topicfs::ipc {
namespace {

/// A busy gateway must not keep the loop from everything else.
constexpr int kMaxReadsAtOnce = 4;

}  // namespace

Result<std::shared_ptr<Connection>> Connection::open(UniqueFd socket, Peer peer, const Setting& setting) {
  // Within one process (tests) there is no death to wait for.
  if (peer.pid == ::getpid()) peer.process.reset();
  std::shared_ptr<Connection> connection(new Connection(std::move(socket), std::move(peer), setting));
  TRY(connection->greet());
  return connection;
}

Connection::Connection(UniqueFd socket, Peer peer, const Setting& setting)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      engine_(setting.engine),
      options_(setting.options),
      table_(setting.table),
      wake_(setting.wake),
      clock_(setting.clock),
      outbox_(socket_.get(), *wake_, clock_) {
  outbox_.adopt_loop();
}

Result<void> Connection::greet() {
  using Writers = SharedMemory::Writers;
  TRY_ASSIGN(arena_, SharedMemory::create("topicfs-arena", options_.arena_bytes, Writers::anyone));
  TRY_ASSIGN(auto bounce, SharedMemory::create("topicfs-bounce", options_.bounce_bytes, Writers::creator_only));
  bounce_memory_ = std::make_shared<SharedMemory>(std::move(bounce));
  ledger_ = std::make_unique<PinLedger>(options_.pool, options_.pin_budget_percent,
                                        Slabs::create(bounce_memory_->bytes(), bounce_memory_), clock_);
  Welcome welcome;
  welcome.store_id = engine_.store_id();
  welcome.leader_epoch = engine_.leader_epoch();
  welcome.arena_bytes = arena_.bytes().size();
  welcome.bounce_bytes = bounce_memory_->bytes().size();
  welcome.table_rows = table_->rows();
  std::vector<int> fds{arena_.fd(), bounce_memory_->fd(), table_->fd()};
  UniqueFd pool;
  if (options_.pool.base) {
    TRY_ASSIGN(pool, reopen_read_only(options_.pool.fd));
    welcome.pool_bytes = options_.pool.size_bytes;
    fds.push_back(pool.get());
  }
  std::vector<std::byte> frame;
  put_frame(frame, 0, welcome);
  return send_with_fds(socket_.get(), frame, fds);
}

void Connection::queue_all_topics() {
  auto topics = engine_.list_topics();
  MutexLock lock(mutex_);
  for (auto& topic : topics) changed_topics_.insert(topic->id);
}

// ---- the loop's part

short Connection::wanted_events() {
  if (closed_) return 0;
  bool reading = in_flight_ < kMaxInFlight && outbox_.waiting_bytes() < kMaxEventBytes;
  return static_cast<short>((reading ? POLLIN : 0) | (outbox_.blocked() ? POLLOUT : 0));
}

void Connection::read() {
  for (int reads = 0; reads < kMaxReadsAtOnce && !closed_; ++reads) {
    auto space = in_.space();
    ssize_t n = ::recv(socket_.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return close(n == 0 ? "it closed its end" : "its socket failed");
    in_.filled(static_cast<size_t>(n));
    for (;;) {
      auto frame = in_.next();
      if (!frame) return close(frame.error().what);
      if (!*frame || closed_) break;
      obey(**frame);
    }
    if (static_cast<size_t>(n) < space.size()) return;
  }
}

void Connection::pump() {
  if (closed_) return;
  for (bool sent_all = false; !sent_all;) {
    if (outbox_.dead()) return close("it does not take what it is sent");
    sent_all = send_topics();
    if (sent_all) send_merged_durable();
    send_waiting_bytes();
    refuse_waiting_bytes();
    outbox_.flush();
    if (outbox_.blocked()) return;  // else nobody would wake the loop for the rest
  }
}

void Connection::close(std::string_view why) {
  if (closed_.exchange(true)) return;
  LOG_INFO("the connection of gateway process {} ends: {}", peer_.pid, why);
  outbox_.close();
  ::shutdown(socket_.get(), SHUT_RDWR);
  for (auto& append : may_wait_)
    if (append.id) engine_.cancel(append.id);
  // Nobody hears these any more, but they are still under way.
  std::deque<WaitingBytes> bytes;
  std::vector<TopicAnswer> topics;
  MutexLock lock(mutex_);
  bytes.swap(waiting_bytes_);
  topics.swap(topic_answers_);
  lock.unlock();
  for (size_t left = bytes.size() + topics.size(); left > 0; --left) finish();
}

bool Connection::drained() {
  return closed_ && in_flight_ == 0 && (process() < 0 || ledger_->lent().pins == 0);
}

void Connection::check_pin_age() {
  auto lent = ledger_->lent();
  if (closed_ || lent.pins == 0 || clock_.now() - lent.oldest < options_.pin_age_max) return;
  LOG_WARNING("gateway process {} holds {} bytes of the pool for more than {} s; cutting it off", peer_.pid,
              lent.pool_bytes, options_.pin_age_max.count());
  close("it does not let go of what it has read");
}

ServerStatus Connection::status() { return {!closed_, peer_.pid, in_flight_, ledger_->lent()}; }

// ---- events and what is sent in the loop's time

void Connection::note_durable(std::span<const PartitionId> partitions) {
  for (auto id : partitions) table_->refresh(engine_, id);
  if (outbox_.waiting_bytes() < kMaxEventBytes) {
    outbox_.put(0, Durable{{partitions.begin(), partitions.end()}}, Outbox::Hurry::no);
    return;
  }
  MutexLock lock(mutex_);
  merged_durable_.insert(partitions.begin(), partitions.end());
}

void Connection::note_topic(const Uuid& topic) {
  {
    MutexLock lock(mutex_);
    changed_topics_.insert(topic);
  }
  wake_->signal();
}

/// The catalog as it is now, one frame per changed topic, then the answers that had to wait for that.
/// False if the gateway is slow to take it; the rest follows when it has.
bool Connection::send_topics() {
  std::vector<TopicAnswer> answers;
  for (;;) {
    if (outbox_.waiting_bytes() > kMaxEventBytes) return false;
    Uuid id;
    {
      MutexLock lock(mutex_);
      if (changed_topics_.empty()) {
        answers.swap(topic_answers_);
        break;
      }
      id = *changed_topics_.begin();
      changed_topics_.erase(changed_topics_.begin());
    }
    if (auto topic = engine_.find_topic(id)) {
      for (auto& partition : topic->partitions) table_->refresh(engine_, partition.id);
      outbox_.put(0, TopicChanged{*topic}, Outbox::Hurry::no);
    } else {
      outbox_.put(0, TopicDeleted{id}, Outbox::Hurry::no);
    }
  }
  for (auto& waiting : answers) {
    if (waiting.deleted) outbox_.put(waiting.request, Done{}, Outbox::Hurry::yes);
    else outbox_.put(waiting.request, TopicDone{waiting.topic}, Outbox::Hurry::yes);
    finish();
  }
  if (!std::exchange(ready_sent_, true)) outbox_.put(0, Ready{}, Outbox::Hurry::no);
  return true;
}

void Connection::send_merged_durable() {
  Durable event;
  MutexLock lock(mutex_);
  event.partitions.assign(merged_durable_.begin(), merged_durable_.end());
  merged_durable_.clear();
  lock.unlock();
  if (!event.partitions.empty()) outbox_.put(0, event, Outbox::Hurry::no);
}

bool Connection::has_waiting_bytes() {
  MutexLock lock(mutex_);
  return !waiting_bytes_.empty();
}

void Connection::refuse_waiting_bytes() {
  for (;;) {
    WaitingBytes first;
    {
      MutexLock lock(mutex_);
      if (waiting_bytes_.empty() || clock_.now() - waiting_bytes_.front().since < options_.room_patience) return;
      first = std::move(waiting_bytes_.front());
      waiting_bytes_.pop_front();
    }
    outbox_.put(first.request, Failed{{Errc::kFull, 0, "the gateway holds too many bytes that it has read"}},
                Outbox::Hurry::yes);
    finish();
  }
}

void Connection::send_waiting_bytes() {
  while (!*waits_for_room_) {
    WaitingBytes first;
    {
      MutexLock lock(mutex_);
      if (waiting_bytes_.empty()) return;
      first = std::move(waiting_bytes_.front());
      waiting_bytes_.pop_front();
    }
    *waits_for_room_ = true;
    bool answered = try_answer_bytes(first, [wake = wake_, waits = waits_for_room_] {
      *waits = false;
      wake->signal();
    });
    if (answered) {
      *waits_for_room_ = false;
      continue;
    }
    MutexLock lock(mutex_);
    waiting_bytes_.push_front(std::move(first));
    return;
  }
}

}  // namespace topicfs::ipc
