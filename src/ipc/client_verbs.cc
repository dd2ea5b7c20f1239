// The client's verbs: a frame to the daemon each, and a waiter for the answer. Bytes to append go
// through the arena; when it is full they queue here, in order.
#include "ipc/client_socket.h"

namespace topicfs::ipc {

void SocketClient::refuse_begin(Waiter waiter) {
  if (closed_) end_with(std::move(waiter), {Errc::kClosed, 0, "the daemon is gone"});
  else end_with(std::move(waiter), {Errc::kFull, 0, "too many requests to the daemon are not answered yet; retry"});
}

template <class Message, class T>
void SocketClient::call(const Message& message, Completion<T> done) {
  Waiter waiter(std::in_place_type<Completion<T>>, std::move(done));
  auto request = calls_.begin(waiter, nullptr);
  if (!request) return refuse_begin(std::move(waiter));
  if (!outbox_.put(request, message, Outbox::Hurry::yes, {}, kMaxRequestBytes))
    end_with(calls_.end(request), {Errc::kTooLarge, 0, "the request is too long for the daemon's socket"});
}

// ---- catalog

void SocketClient::create_topic(NewTopic topic, Completion<TopicPtr> done) {
  call(CreateTopic{std::move(topic)}, std::move(done));
}

void SocketClient::add_partitions(const Uuid& topic, int32_t total, Ownership ownership, Completion<TopicPtr> done) {
  call(AddPartitions{topic, total, ownership}, std::move(done));
}

void SocketClient::delete_topic(const Uuid& topic, OnlyEmpty only_empty, Completion<void> done) {
  call(DeleteTopic{topic, only_empty}, std::move(done));
}

void SocketClient::change_settings(const Uuid& topic, std::map<std::string, std::optional<std::string>> changes,
                                   Completion<TopicPtr> done) {
  call(ChangeSettings{topic, std::move(changes)}, std::move(done));
}

void SocketClient::change_ownership(const Uuid& topic, OwnershipChange change, Completion<TopicPtr> done) {
  call(ChangeTopicOwnership{topic, change}, std::move(done));
}

void SocketClient::change_ownership(PartitionId partition, OwnershipChange change, Completion<TopicPtr> done) {
  call(ChangePartitionOwnership{partition, change}, std::move(done));
}

void SocketClient::set_modified(PartitionId partition, WallMilliseconds time, Completion<void> done) {
  call(SetModified{partition, time}, std::move(done));
}

// ---- consumer groups

void SocketClient::commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) {
  call(CommitOffsets{std::move(group), std::move(offsets)}, std::move(done));
}

void SocketClient::fetch_offsets(std::string group, Completion<std::vector<CommittedOffset>> done) {
  call(FetchOffsets{std::move(group)}, std::move(done));
}

void SocketClient::delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) {
  call(DeleteOffsets{std::move(group), std::move(partitions)}, std::move(done));
}

void SocketClient::save_group(std::string group, GroupState state, Completion<void> done) {
  call(SaveGroup{std::move(group), std::move(state)}, std::move(done));
}

void SocketClient::delete_group(std::string group, Completion<void> done) {
  call(DeleteGroup{std::move(group)}, std::move(done));
}

void SocketClient::list_groups(std::string after, Completion<std::vector<StoredGroup>> done) {
  call(ListGroups{std::move(after)}, std::move(done));
}

// ---- appends

SlabBuffer SocketClient::allocate_buffer(size_t size, Task when_room) {
  return receive_->allocate(size, std::move(when_room));
}

RequestId SocketClient::append_batch(PartitionId partition, ByteSpan batch, AppendOptions options,
                                     Completion<Appended> done) {
  return append({partition, options, std::nullopt}, {&batch, 1}, std::move(done));
}

RequestId SocketClient::append_text(PartitionId partition, std::span<const ByteSpan> pieces, LastLine last,
                                    AppendOptions options, Completion<Appended> done) {
  return append({partition, options, last}, pieces, std::move(done));
}

bool SocketClient::must_queue() {
  MutexLock lock(queue_mutex_);
  return !queue_.empty();
}

namespace {

void gather(std::span<const ByteSpan> pieces, MutableByteSpan into) {
  for (auto piece : pieces) {
    std::copy(piece.begin(), piece.end(), into.begin());
    into = into.subspan(piece.size());
  }
}

}  // namespace

RequestId SocketClient::append(const Append& append, std::span<const ByteSpan> pieces, Completion<Appended> done) {
  size_t size = 0;
  for (auto piece : pieces) size += piece.size();
  Pin owner = pieces.size() == 1 ? receive_->owner_of(pieces[0]) : nullptr;
  if (!owner && size > copies_bytes_)
    return refuse(std::move(done), Errc::kTooLarge, "an append of " + std::to_string(size) + " bytes"), 0;
  ByteSpan bytes = pieces.empty() ? ByteSpan{} : pieces[0];
  bool wait = must_queue();
  if (!owner && !wait) {
    auto buffer = copies_->allocate(size);
    if (buffer) gather(pieces, buffer.bytes);
    bytes = buffer.bytes;
    owner = std::move(buffer.owner);
  }
  if (wait || !owner) return queue(append, pieces, size, std::move(owner), std::move(done));
  Waiter waiter(std::in_place_type<Completion<Appended>>, std::move(done));
  auto request = calls_.begin(waiter, std::move(owner));
  if (!request) return refuse_begin(std::move(waiter)), 0;
  send_append(request, append, bytes);
  return request;
}

void SocketClient::send_append(uint64_t request, const Append& append, ByteSpan in_arena) {
  auto offset = static_cast<uint64_t>(in_arena.data() - arena_->bytes().data());
  auto size = static_cast<uint32_t>(in_arena.size());
  if (append.last) {
    outbox_.put(request, AppendText{append.partition, append.options, *append.last, offset, size},
                Outbox::Hurry::yes);
  } else {
    outbox_.put(request, AppendBatch{append.partition, append.options, offset, size}, Outbox::Hurry::yes);
  }
}

/// Behind everything that waits already, so that one caller's appends keep their order.
RequestId SocketClient::queue(const Append& append, std::span<const ByteSpan> pieces, size_t size, Pin arena_owner,
                              Completion<Appended> done) {
  if (append.options.wait == Wait::no)
    return refuse(std::move(done), Errc::kWouldBlock, "the memory shared with the daemon is full"), 0;
  Queued queued{0, append, {}, {}, std::move(arena_owner)};
  if (queued.arena_owner) {
    queued.bytes = pieces[0];
  } else {
    queued.copy.resize(size);
    gather(pieces, queued.copy);
    queued.bytes = queued.copy;
  }
  auto held = queued.copy.size();
  MutexLock lock(queue_mutex_);
  if (queued_bytes_ + held > kMaxQueuedBytes) {
    lock.unlock();
    return refuse(std::move(done), Errc::kFull, "the memory shared with the daemon is full; retry"), 0;
  }
  Waiter waiter(std::in_place_type<Completion<Appended>>, std::move(done));
  auto request = queued.request = calls_.begin(waiter, nullptr);
  if (!request) {
    lock.unlock();
    return refuse_begin(std::move(waiter)), 0;
  }
  queue_.push_back(std::move(queued));
  queued_bytes_ += held;
  lock.unlock();
  wake_->signal();
  return request;
}

/// From the loop: as much of the queue as there is room for.
void SocketClient::send_queued() {
  if (*waits_for_room_) return;
  MutexLock lock(queue_mutex_);
  while (!queue_.empty()) {
    auto& front = queue_.front();
    if (!front.arena_owner) {
      *waits_for_room_ = true;
      auto buffer = copies_->allocate(front.bytes.size(), [wake = wake_, waits = waits_for_room_] {
        *waits = false;
        wake->signal();
      });
      if (!buffer) return;
      *waits_for_room_ = false;
      gather({&front.bytes, 1}, buffer.bytes);
      front.bytes = buffer.bytes;
      front.arena_owner = std::move(buffer.owner);
    }
    calls_.keep(front.request, std::move(front.arena_owner));
    send_append(front.request, front.append, front.bytes);
    queued_bytes_ -= front.copy.size();
    queue_.pop_front();
  }
}

void SocketClient::cancel(RequestId request) {
  if (request == 0) return;
  MutexLock lock(queue_mutex_);
  auto found = std::find_if(queue_.begin(), queue_.end(), [&](auto& q) { return q.request == request; });
  if (found == queue_.end()) {
    lock.unlock();
    outbox_.put(request, Cancel{}, Outbox::Hurry::yes);
    return;
  }
  queued_bytes_ -= found->copy.size();
  queue_.erase(found);
  lock.unlock();
  end_with(calls_.end(request), {Errc::kCancelled, 0, "the append was cancelled"});
}

void SocketClient::sync(PartitionId partition, Completion<void> done) { call(Sync{partition}, std::move(done)); }

void SocketClient::allocate_producer_ids(int32_t count, Completion<int64_t> done) {
  call(AllocateProducerIds{count}, std::move(done));
}

void SocketClient::delete_records(PartitionId partition, Offset before, Completion<Offset> done) {
  call(DeleteRecords{partition, before}, Completion<int64_t>([done = std::move(done)](Result<int64_t> start) mutable {
         if (start) done(Offset(*start));
         else done(tl::unexpected<Error>(std::move(start).error()));
       }));
}

// ---- reads

Result<PartitionEnds> SocketClient::ends(PartitionId partition) {
  if (closed_) return fail(Errc::kClosed, "the daemon is gone");
  return table_->read(partition);
}

void SocketClient::read_text(PartitionId partition, TextPosition from, size_t max_bytes, Completion<TextRead> done) {
  call(ReadText{partition, from, max_bytes}, std::move(done));
}

void SocketClient::fetch(PartitionId partition, Offset from, size_t max_bytes, Completion<Fetched> done) {
  call(Fetch{partition, from, max_bytes}, std::move(done));
}

void SocketClient::find_timestamp(PartitionId partition, int64_t timestamp, Completion<TimestampedOffset> done) {
  call(FindTimestamp{partition, timestamp}, std::move(done));
}

void SocketClient::leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) {
  call(GetLeaderEpochs{partition}, std::move(done));
}

// ---- the rest

void SocketClient::add_listener(EngineListener* listener) {
  MutexLock lock(listeners_mutex_);
  listeners_.push_back(listener);
}

void SocketClient::remove_listener(EngineListener* listener) {
  MutexLock lock(listeners_mutex_);
  std::erase(listeners_, listener);
}

void SocketClient::status(Completion<std::string> done) { call(GetStatus{}, std::move(done)); }

}  // namespace topicfs::ipc
