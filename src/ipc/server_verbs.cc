// What the gateway asks of the engine, verb by verb, and the answers on their way back.
#include <algorithm>
#include <utility>

#include "ipc/server_connection.h"

namespace topicfs::ipc {

template <class Message>
void Connection::obey(const FrameBuffer::Frame& frame) {
  auto message = decode<Message>(frame.payload);
  if (!message) return close(message.error().what);
  obey(frame.header.request, std::move(*message));
}

void Connection::obey(const FrameBuffer::Frame& frame) {
  if (!greeted_ && frame.header.verb != Verb::hello) return close("it does not say hello");
  switch (frame.header.verb) {
    case Verb::hello: return obey<Hello>(frame);
    case Verb::create_topic: return obey<CreateTopic>(frame);
    case Verb::add_partitions: return obey<AddPartitions>(frame);
    case Verb::delete_topic: return obey<DeleteTopic>(frame);
    case Verb::change_settings: return obey<ChangeSettings>(frame);
    case Verb::change_topic_ownership: return obey<ChangeTopicOwnership>(frame);
    case Verb::change_partition_ownership: return obey<ChangePartitionOwnership>(frame);
    case Verb::set_modified: return obey<SetModified>(frame);
    case Verb::append_batch: return obey<AppendBatch>(frame);
    case Verb::append_text: return obey<AppendText>(frame);
    case Verb::cancel: return obey<Cancel>(frame);
    case Verb::sync: return obey<Sync>(frame);
    case Verb::allocate_producer_ids: return obey<AllocateProducerIds>(frame);
    case Verb::delete_records: return obey<DeleteRecords>(frame);
    case Verb::read_text: return obey<ReadText>(frame);
    case Verb::fetch: return obey<Fetch>(frame);
    case Verb::find_timestamp: return obey<FindTimestamp>(frame);
    case Verb::get_leader_epochs: return obey<GetLeaderEpochs>(frame);
    case Verb::status: return obey<GetStatus>(frame);
    case Verb::release: return obey<Release>(frame);
    case Verb::commit_offsets: return obey<CommitOffsets>(frame);
    case Verb::fetch_offsets: return obey<FetchOffsets>(frame);
    case Verb::delete_offsets: return obey<DeleteOffsets>(frame);
    case Verb::save_group: return obey<SaveGroup>(frame);
    case Verb::delete_group: return obey<DeleteGroup>(frame);
    case Verb::list_groups: return obey<ListGroups>(frame);
    case Verb::failed:
    case Verb::done:
    case Verb::topic_done:
    case Verb::appended:
    case Verb::number:
    case Verb::bytes:
    case Verb::timestamp:
    case Verb::text:
    case Verb::offsets:
    case Verb::groups:
    case Verb::leader_epochs:
    case Verb::welcome:
    case Verb::ready:
    case Verb::topic_changed:
    case Verb::topic_deleted:
    case Verb::durable: return close("it sends what only a daemon says");
  }
}

// ---- answers, from any thread

template <class Message>
void Connection::answer(uint64_t request, const Message& message, ByteSpan tail) {
  if (outbox_.put(request, message, Outbox::Hurry::yes, tail)) return;
  Error error{Errc::kTooLarge, 0, "the daemon's answer is too long for the gateway's socket"};
  outbox_.put(request, Failed{std::move(error)}, Outbox::Hurry::yes);
}

void Connection::finish() {
  auto before = in_flight_.fetch_sub(1);
  if (closed_ || before >= kMaxInFlight) wake_->signal();
}

template <class Answer, class T>
Completion<T> Connection::answer_with(uint64_t request) {
  begin();
  return [self = shared_from_this(), request](Result<T> result) {
    if (!result) self->answer(request, Failed{std::move(result).error()});
    else if constexpr (std::is_void_v<T>) self->answer(request, Answer{});
    else self->answer(request, Answer{std::move(*result)});
    self->finish();
  };
}

Completion<TopicPtr> Connection::answer_with_topic(uint64_t request) {
  begin();
  return [self = shared_from_this(), request](Result<TopicPtr> topic) {
    if (topic) return self->answer_after_topic({request, (*topic)->id, false});
    self->answer(request, Failed{std::move(topic).error()});
    self->finish();
  };
}

/// The gateway's copy of the catalog must have the change before the one who asked for it hears.
void Connection::answer_after_topic(const TopicAnswer& waiting) {
  MutexLock lock(mutex_);
  if (closed_) {
    lock.unlock();
    return finish();
  }
  changed_topics_.insert(waiting.topic);
  topic_answers_.push_back(waiting);
  lock.unlock();
  wake_->signal();
}

void Connection::answer_bytes(uint64_t request, const PartitionEnds& ends, Bytes bytes) {
  WaitingBytes waiting{request, ends, std::move(bytes), clock_.now()};
  MutexLock lock(mutex_);
  bool others_wait = !waiting_bytes_.empty();
  lock.unlock();
  bool needs_no_room = waiting.bytes.size <= kMaxTailBytes;
  if ((needs_no_room || !others_wait) && try_answer_bytes(waiting, [wake = wake_] { wake->signal(); })) return;
  lock.lock();
  if (closed_) {
    lock.unlock();
    return finish();
  }
  waiting_bytes_.push_back(std::move(waiting));
  lock.unlock();
  wake_->signal();  // those that waited before may have been answered meanwhile
}

/// False if there is no room for a copy now; `when_room` is called when there may be.
bool Connection::try_answer_bytes(WaitingBytes& waiting, Task when_room) {
  auto placed = ledger_->place(waiting.bytes, std::move(when_room));
  if (!placed && placed.error().code == Errc::kFull) return false;
  if (placed) {
    placed->answer.ends = waiting.ends;
    answer(waiting.request, placed->answer, placed->tail);
  } else {
    answer(waiting.request, Failed{std::move(placed).error()});
  }
  finish();
  return true;
}

// ---- verbs

void Connection::obey(uint64_t, Hello message) {
  if (message.magic != kMagic || message.version != kVersion)
    return close("it is of another version of topicfs than the daemon");
  greeted_ = true;
}

void Connection::obey(uint64_t request, CreateTopic message) {
  engine_.create_topic(std::move(message.topic), answer_with_topic(request));
}

void Connection::obey(uint64_t request, AddPartitions message) {
  engine_.add_partitions(message.topic, message.total, message.ownership, answer_with_topic(request));
}

void Connection::obey(uint64_t request, DeleteTopic message) {
  begin();
  engine_.delete_topic(message.topic, message.only_empty,
                       [self = shared_from_this(), request, id = message.topic](Result<void> result) {
                         if (result) return self->answer_after_topic({request, id, true});
                         self->answer(request, Failed{std::move(result).error()});
                         self->finish();
                       });
}

void Connection::obey(uint64_t request, ChangeSettings message) {
  engine_.change_settings(message.topic, std::move(message.changes), answer_with_topic(request));
}

void Connection::obey(uint64_t request, ChangeTopicOwnership message) {
  engine_.change_ownership(message.topic, message.change, answer_with_topic(request));
}

void Connection::obey(uint64_t request, ChangePartitionOwnership message) {
  engine_.change_ownership(message.partition, message.change, answer_with_topic(request));
}

void Connection::obey(uint64_t request, SetModified message) {
  begin();
  engine_.set_modified(message.partition, message.time,
                       [self = shared_from_this(), request, id = message.partition](Result<void> result) {
                         self->table_->refresh(self->engine_, id);
                         if (result) self->answer(request, Done{});
                         else self->answer(request, Failed{std::move(result).error()});
                         self->finish();
                       });
}

std::optional<ByteSpan> Connection::arena_piece(uint64_t offset, uint32_t size) {
  if (within(offset, size, arena_.bytes().size())) return arena_.bytes().subspan(offset, size);
  close("it names bytes outside of its arena");
  return std::nullopt;
}

void Connection::remember(uint64_t request, RequestId id) {
  if (id) may_wait_[request % may_wait_.size()] = {request, id};
}

void Connection::obey(uint64_t request, AppendBatch message) {
  auto batch = arena_piece(message.arena_offset, message.size);
  if (!batch) return;
  remember(request, engine_.append_batch(message.partition, *batch, message.options,
                                         answer_with<AppendedAnswer, Appended>(request)));
}

void Connection::obey(uint64_t request, AppendText message) {
  auto text = arena_piece(message.arena_offset, message.size);
  if (!text) return;
  remember(request, engine_.append_text(message.partition, {&*text, 1}, message.last, message.options,
                                        answer_with<AppendedAnswer, Appended>(request)));
}

void Connection::obey(uint64_t request, Cancel) {
  auto& append = may_wait_[request % may_wait_.size()];
  if (append.request == request && append.id) engine_.cancel(std::exchange(append, {}).id);
}

void Connection::obey(uint64_t request, Sync message) {
  engine_.sync(message.partition, answer_with<Done, void>(request));
}

void Connection::obey(uint64_t request, AllocateProducerIds message) {
  engine_.allocate_producer_ids(message.count, answer_with<Number, int64_t>(request));
}

void Connection::obey(uint64_t request, DeleteRecords message) {
  auto answer = answer_with<Number, int64_t>(request);
  engine_.delete_records(message.partition, message.before, [answer = std::move(answer)](Result<Offset> start) mutable {
    if (start) answer(start->v);
    else answer(tl::unexpected<Error>(std::move(start).error()));
  });
}

/// One answer takes a part of the bounce memory at most, so that the next finds room too.
size_t Connection::clamped(uint64_t max_bytes) const {
  return static_cast<size_t>(std::min<uint64_t>(max_bytes, options_.bounce_bytes / 4));
}

void Connection::obey(uint64_t request, ReadText message) {
  begin();
  engine_.read_text(message.partition, message.from, clamped(message.max_bytes),
                    [self = shared_from_this(), request](Result<TextRead> read) {
                      if (read) return self->answer_bytes(request, read->ends, std::move(read->text));
                      self->answer(request, Failed{std::move(read).error()});
                      self->finish();
                    });
}

void Connection::obey(uint64_t request, Fetch message) {
  begin();
  engine_.fetch(message.partition, message.from, clamped(message.max_bytes),
                [self = shared_from_this(), request](Result<Fetched> fetched) {
                  if (fetched) return self->answer_bytes(request, fetched->ends, std::move(fetched->batches));
                  self->answer(request, Failed{std::move(fetched).error()});
                  self->finish();
                });
}

void Connection::obey(uint64_t request, FindTimestamp message) {
  engine_.find_timestamp(message.partition, message.timestamp,
                         answer_with<Timestamp, TimestampedOffset>(request));
}

void Connection::obey(uint64_t request, GetLeaderEpochs message) {
  engine_.leader_epochs(message.partition, answer_with<LeaderEpochs, std::vector<EpochStart>>(request));
}

void Connection::obey(uint64_t request, GetStatus) { engine_.status(answer_with<Text, std::string>(request)); }

void Connection::obey(uint64_t, Release message) {
  for (auto pin : message.pins)
    if (!ledger_->release(pin)) return close("it releases bytes that it does not hold");
}

void Connection::obey(uint64_t request, CommitOffsets message) {
  engine_.commit_offsets(std::move(message.group), std::move(message.offsets), answer_with<Done, void>(request));
}

void Connection::obey(uint64_t request, FetchOffsets message) {
  engine_.fetch_offsets(std::move(message.group), answer_with<Offsets, std::vector<CommittedOffset>>(request));
}

void Connection::obey(uint64_t request, DeleteOffsets message) {
  engine_.delete_offsets(std::move(message.group), std::move(message.partitions), answer_with<Done, void>(request));
}

void Connection::obey(uint64_t request, SaveGroup message) {
  engine_.save_group(std::move(message.group), std::move(message.state), answer_with<Done, void>(request));
}

void Connection::obey(uint64_t request, DeleteGroup message) {
  engine_.delete_group(std::move(message.group), answer_with<Done, void>(request));
}

void Connection::obey(uint64_t request, ListGroups message) {
  engine_.list_groups(std::move(message.after), answer_with<Groups, std::vector<StoredGroup>>(request));
}

}  // namespace topicfs::ipc
