// Connection: one gateway, as the server sees it. The server's loop reads, answers what it can and
// flushes; the engine's completions and events come from any thread.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <set>

#include "ipc/outbox.h"
#include "ipc/server.h"
#include "ipc/socket.h"

namespace topicfs::ipc {

/// Shared by the server's loop and the completions that are on their way to it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Beyond this the socket is not read until something is answered.
  static constexpr size_t kMaxInFlight = 4096;
  /// While this much waits to be sent, events are merged instead of sent.
  static constexpr size_t kMaxEventBytes = 1 << 20;

  struct Setting {
    Engine& engine;
    const ServerOptions& options;
    std::shared_ptr<EndsTableWriter> table;
    std::shared_ptr<const Wake> wake;
    Clock& clock;
  };
  /// Greets the gateway.
  static Result<std::shared_ptr<Connection>> open(UniqueFd socket, Peer peer, const Setting& setting);

  // ---- for the loop

  /// Call when events arrive here already, so that no change falls between the two.
  void queue_all_topics();
  int socket() const { return socket_.get(); }
  int process() const { return peer_.process.get(); }
  /// What to poll the socket for; 0: nothing.
  short wanted_events();
  /// Reads and obeys what has come.
  void read();
  /// Sends events and answers that waited, then everything else.
  void pump();
  /// The gateway's process is dead: it reads no memory any more.
  void process_died() { peer_.process.reset(); }
  void close(std::string_view why);
  bool closed() const { return closed_; }
  /// Nothing is under way, and nobody can read what was lent.
  bool drained();
  bool has_waiting_bytes();
  void check_pin_age();
  ServerStatus status();

  // ---- for the engine's threads

  void note_durable(std::span<const PartitionId> partitions);
  void note_topic(const Uuid& topic);

 private:
  struct WaitingBytes {
    uint64_t request;
    PartitionEnds ends;
    Bytes bytes;
    MonotonicTime since;
  };
  struct TopicAnswer {
    uint64_t request;
    Uuid topic;
    bool deleted;
  };

  Connection(UniqueFd socket, Peer peer, const Setting& setting);
  Result<void> greet();
  void obey(const FrameBuffer::Frame& frame);
  template <class Message>
  void obey(const FrameBuffer::Frame& frame);
  void obey(uint64_t request, Hello message);
  void obey(uint64_t request, CreateTopic message);
  void obey(uint64_t request, AddPartitions message);
  void obey(uint64_t request, DeleteTopic message);
  void obey(uint64_t request, ChangeSettings message);
  void obey(uint64_t request, ChangeTopicOwnership message);
  void obey(uint64_t request, ChangePartitionOwnership message);
  void obey(uint64_t request, SetModified message);
  void obey(uint64_t request, AppendBatch message);
  void obey(uint64_t request, AppendText message);
  void obey(uint64_t request, Cancel message);
  void obey(uint64_t request, Sync message);
  void obey(uint64_t request, AllocateProducerIds message);
  void obey(uint64_t request, DeleteRecords message);
  void obey(uint64_t request, ReadText message);
  void obey(uint64_t request, Fetch message);
  void obey(uint64_t request, FindTimestamp message);
  void obey(uint64_t request, GetLeaderEpochs message);
  void obey(uint64_t request, GetStatus message);
  void obey(uint64_t request, Release message);
  void obey(uint64_t request, CommitOffsets message);
  void obey(uint64_t request, FetchOffsets message);
  void obey(uint64_t request, DeleteOffsets message);
  void obey(uint64_t request, SaveGroup message);
  void obey(uint64_t request, DeleteGroup message);
  void obey(uint64_t request, ListGroups message);

  /// The piece of the arena that the gateway names; closes the connection if there is none.
  std::optional<ByteSpan> arena_piece(uint64_t offset, uint32_t size);
  size_t clamped(uint64_t max_bytes) const;
  void remember(uint64_t request, RequestId id);
  /// For a verb whose answer is `Answer{value}`.
  template <class Answer, class T>
  Completion<T> answer_with(uint64_t request);
  Completion<TopicPtr> answer_with_topic(uint64_t request);
  template <class Message>
  void answer(uint64_t request, const Message& message, ByteSpan tail = {});
  void answer_bytes(uint64_t request, const PartitionEnds& ends, Bytes bytes);
  bool try_answer_bytes(WaitingBytes& waiting, Task when_room);
  void answer_after_topic(const TopicAnswer& answer);
  void begin() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void finish();
  bool send_topics();
  void send_merged_durable();
  void send_waiting_bytes();
  void refuse_waiting_bytes();

  const UniqueFd socket_;
  Peer peer_;
  Engine& engine_;
  const ServerOptions& options_;  // only from the loop: completions may outlive the server
  const std::shared_ptr<EndsTableWriter> table_;
  const std::shared_ptr<const Wake> wake_;
  Clock& clock_;
  Outbox outbox_;
  FrameBuffer in_{kMaxRequestBytes};
  SharedMemory arena_;
  std::shared_ptr<SharedMemory> bounce_memory_;
  std::unique_ptr<PinLedger> ledger_;
  bool greeted_ = false, ready_sent_ = false;
  std::atomic<bool> closed_ = false;
  std::atomic<size_t> in_flight_ = 0;

  /// Appends that may still wait for room, by request modulo the size; stale entries do no harm.
  struct MayWait {
    uint64_t request = 0;
    RequestId id = 0;
  };
  std::array<MayWait, kMaxInFlight> may_wait_{};

  /// The loop has asked the bounce memory to be told of room, and tries no more until then.
  const std::shared_ptr<std::atomic<bool>> waits_for_room_ = std::make_shared<std::atomic<bool>>(false);

  Mutex mutex_;
  std::set<Uuid> changed_topics_ GUARDED_BY(mutex_);
  std::vector<TopicAnswer> topic_answers_ GUARDED_BY(mutex_);
  std::set<PartitionId> merged_durable_ GUARDED_BY(mutex_);
  std::deque<WaitingBytes> waiting_bytes_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::ipc
