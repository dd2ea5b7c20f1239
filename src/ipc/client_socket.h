// SocketClient: the client's one implementation. The loop (client.cc) reads answers and events; the
// verbs (client_verbs.cc) come from any thread.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "ipc/client_parts.h"
#include "ipc/ends_table.h"
#include "ipc/messages.h"

namespace topicfs::ipc {

class SocketClient final : public Client {
 public:
  /// Appends that wait for room in the arena hold copies; beyond this they get kFull.
  static constexpr size_t kMaxQueuedBytes = 32 << 20;
  /// While something that was read is held, so often we look whether it came back.
  static constexpr std::chrono::milliseconds kReturnsInterval{10};

  SocketClient(UniqueFd socket, std::shared_ptr<const Wake> wake, Clock& clock, ClientOptions options);
  ~SocketClient() override;
  /// Says hello and waits for the daemon's welcome and its catalog; then starts the loop.
  Result<void> begin();

  // Client
  SlabBuffer allocate_buffer(size_t size, Task when_room) override;
  size_t max_buffer_bytes() const override { return receive_bytes_; }

  // Engine
  void hold_requests() override { outbox_.hold(); }
  void release_requests() override { outbox_.release(); }
  TopicPtr find_topic(std::string_view name) override { return mirror_.find(name); }
  TopicPtr find_topic(const Uuid& id) override { return mirror_.find(id); }
  TopicPtr find_topic(TopicNumber number) override { return mirror_.find(number); }
  std::optional<PartitionPlace> find_partition(PartitionId id) override { return mirror_.find(id); }
  std::vector<TopicPtr> list_topics() override { return mirror_.list(); }
  void create_topic(NewTopic topic, Completion<TopicPtr> done) override;
  void add_partitions(const Uuid& topic, int32_t total, Ownership ownership,
                      Completion<TopicPtr> done) override;
  void delete_topic(const Uuid& topic, OnlyEmpty only_empty, Completion<void> done) override;
  void change_settings(const Uuid& topic, std::map<std::string, std::optional<std::string>> changes,
                       Completion<TopicPtr> done) override;
  void change_ownership(const Uuid& topic, OwnershipChange change, Completion<TopicPtr> done) override;
  void change_ownership(PartitionId partition, OwnershipChange change, Completion<TopicPtr> done) override;
  void set_modified(PartitionId partition, WallMilliseconds time, Completion<void> done) override;
  RequestId append_batch(PartitionId partition, ByteSpan batch, AppendOptions options,
                         Completion<Appended> done) override;
  RequestId append_text(PartitionId partition, std::span<const ByteSpan> pieces, LastLine last,
                        AppendOptions options, Completion<Appended> done) override;
  void cancel(RequestId request) override;
  void sync(PartitionId partition, Completion<void> done) override;
  void delete_records(PartitionId partition, Offset before, Completion<Offset> done) override;
  void allocate_producer_ids(int32_t count, Completion<int64_t> done) override;
  Result<PartitionEnds> ends(PartitionId partition) override;
  void read_text(PartitionId partition, TextPosition from, size_t max_bytes,
                 Completion<TextRead> done) override;
  void fetch(PartitionId partition, Offset from, size_t max_bytes, Completion<Fetched> done) override;
  void find_timestamp(PartitionId partition, int64_t timestamp, Completion<TimestampedOffset> done) override;
  void commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) override;
  void fetch_offsets(std::string group, Completion<std::vector<CommittedOffset>> done) override;
  void delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) override;
  void save_group(std::string group, GroupState state, Completion<void> done) override;
  void delete_group(std::string group, Completion<void> done) override;
  void list_groups(std::string after, Completion<std::vector<StoredGroup>> done) override;
  void add_listener(EngineListener* listener) override;
  void remove_listener(EngineListener* listener) override;
  void leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) override;
  int32_t leader_epoch() override { return leader_epoch_; }
  Uuid store_id() override { return store_id_; }
  void status(Completion<std::string> done) override;

 private:
  /// An append to be; the text's `last` tells the two kinds apart.
  struct Append {
    PartitionId partition;
    AppendOptions options;
    std::optional<LastLine> last;
  };
  struct Queued {
    uint64_t request;
    Append append;
    ByteSpan bytes;
    std::vector<std::byte> copy;  // what `bytes` shows, unless it stands in the arena
    Pin arena_owner;
  };

  // the loop (client.cc)
  void run();
  Result<void> read();
  Result<void> obey_all();
  Result<void> obey(const FrameBuffer::Frame& frame);
  Result<void> obey_welcome(const FrameBuffer::Frame& frame);
  Result<void> obey_bytes(const FrameBuffer::Frame& frame);
  Result<void> obey_topic_changed(const FrameBuffer::Frame& frame);
  Result<void> obey_topic_deleted(const FrameBuffer::Frame& frame);
  Result<void> obey_durable(const FrameBuffer::Frame& frame);
  Result<Bytes> bytes_of(const BytesAnswer& answer, ByteSpan tail);
  template <class T>
  Result<void> finish(uint64_t request, Result<T> result);
  template <class Message, class Get>
  Result<void> finish_with(const FrameBuffer::Frame& frame, Get get);
  void send_returned_pins();
  void end_everything(const Error& error);

  // verbs (client_verbs.cc)
  template <class Message, class T>
  void call(const Message& message, Completion<T> done);
  template <class T>
  void refuse(Completion<T> done, Errc code, std::string what);
  void refuse_begin(Waiter waiter);
  RequestId append(const Append& append, std::span<const ByteSpan> pieces, Completion<Appended> done);
  RequestId queue(const Append& append, std::span<const ByteSpan> pieces, size_t size, Pin arena_owner,
                  Completion<Appended> done);
  void send_append(uint64_t request, const Append& append, ByteSpan in_arena);
  void send_queued();
  bool must_queue();

  const UniqueFd socket_;
  const std::shared_ptr<const Wake> wake_;  // shared with pins and slabs that outlive us
  Clock& clock_;
  ClientOptions options_;
  Outbox outbox_;
  FrameBuffer in_{kMaxAnswerBytes};
  std::vector<UniqueFd> received_fds_;  // only until the welcome has been read

  // from the welcome
  bool welcomed_ = false, ready_ = false;
  Uuid store_id_;
  int32_t leader_epoch_ = 0;
  size_t receive_bytes_ = 0, copies_bytes_ = 0;
  std::shared_ptr<SharedMemory> arena_, bounce_, pool_;
  std::unique_ptr<EndsTableReader> table_;
  /// Two parts of the arena, so that requests which fill the one cannot keep copies out of the other:
  /// the gateway may hold its buffers until a copied append is answered.
  std::shared_ptr<Slabs> receive_, copies_;

  CatalogMirror mirror_;
  CallTable calls_;
  const std::shared_ptr<PinReturns> pins_;

  Mutex listeners_mutex_;  // held while listeners are called
  std::vector<EngineListener*> listeners_ GUARDED_BY(listeners_mutex_);

  Mutex queue_mutex_;
  std::deque<Queued> queue_ GUARDED_BY(queue_mutex_);
  size_t queued_bytes_ GUARDED_BY(queue_mutex_) = 0;
  const std::shared_ptr<std::atomic<bool>> waits_for_room_ = std::make_shared<std::atomic<bool>>(false);

  std::atomic<bool> stopping_ = false, closed_ = false;
  std::thread thread_;
};

template <class T>
void SocketClient::refuse(Completion<T> done, Errc code, std::string what) {
  done(fail(code, std::move(what)));
}

}  // namespace topicfs::ipc
