#include "support/memory_engine.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/random.h"
#include "base/topic_settings.h"
#include "support/memory_batch.h"

namespace topicfs::testing {
namespace {

void apply(const OwnershipChange& change, Ownership& to) {
  to.uid = change.uid.value_or(to.uid);
  to.gid = change.gid.value_or(to.gid);
  to.mode = change.mode.value_or(to.mode) & 07777;
}

tl::unexpected<Error> no_such_partition() { return fail(Errc::kNotFound, "no such partition"); }
tl::unexpected<Error> no_such_topic() { return fail(Errc::kNotFound, "no such topic"); }
tl::unexpected<Error> read_only() {
  return fail(Errc::kReadOnly, "the log took a failed write; restart the daemon");
}

}  // namespace

struct MemoryEngine::Batch {
  Offset base, next;
  TextPosition text_base;
  MemoryBatch parsed;
  std::vector<std::byte> own;  // empty when the bytes are in the region
  ByteSpan bytes;
  TextPosition text_end() const { return text_base + static_cast<int64_t>(parsed.text.size()); }
};

struct MemoryEngine::Partition {
  PartitionId id;
  TopicNumber topic;
  PartitionEnds ends;
  std::deque<std::shared_ptr<Batch>> batches;
  std::vector<EpochStart> epochs;
  bool ever_written = false;
};

struct MemoryEngine::WaitingAppend {
  RequestId request;
  PartitionId partition;
  std::vector<std::byte> batch;
  MemoryBatch parsed;
  Ack ack;
  Completion<Appended> done;
  MonotonicTime since{0};  ///< when it began to wait for room; 0: it does not
};

struct MemoryEngine::Pending {
  PartitionId partition;
  bool wrote;
  Task answer;  // empty: answered when it was buffered
};

MemoryEngine::MemoryEngine(Options options)
    : options_(options), clock_(options.clock ? *options.clock : system_clock()) {}
MemoryEngine::~MemoryEngine() = default;

// ---- answers and events: queued under the lock, delivered in order by one thread at a time

template <class T>
void MemoryEngine::answer(Completion<T> done, Result<T> result) {
  actions_.push_back([d = std::move(done), r = std::move(result)]() mutable { d(std::move(r)); });
}

template <class T>
void MemoryEngine::answer_now(Completion<T> done, Result<T> result) {
  {
    MutexLock lock(mutex_);
    answer(std::move(done), std::move(result));
  }
  schedule();
}

void MemoryEngine::schedule() {
  if (!options_.executor) return run();
  {
    MutexLock lock(mutex_);
    if (std::exchange(posted_, true)) return;
  }
  options_.executor->post([this, alive = std::weak_ptr<int>(pin_token_)] {
    if (!alive.expired()) run();
  });
}

void MemoryEngine::run() {
  std::deque<Task> batch;
  MutexLock lock(mutex_);
  posted_ = false;
  if (std::exchange(running_, true)) return;
  for (;;) {
    commit();
    batch.swap(actions_);
    if (batch.empty()) break;
    lock.unlock();
    for (auto& action : batch) action();
    batch.clear();
    lock.lock();
  }
  running_ = false;
}

void MemoryEngine::commit() {
  if (uncommitted_.empty()) return;
  std::vector<PartitionId> grown;
  for (auto& pending : uncommitted_) {
    if (pending.wrote) grown.push_back(pending.partition);
    if (pending.answer) actions_.push_back(std::move(pending.answer));
  }
  uncommitted_.clear();
  std::sort(grown.begin(), grown.end());
  grown.erase(std::unique(grown.begin(), grown.end()), grown.end());
  for (auto id : grown)
    if (auto* partition = find(id)) partition->ends.durable_end = partition->ends.visible_end;
  if (grown.empty()) return;
  actions_.push_back([this, ids = std::move(grown)] {
    MutexLock lock(listeners_mutex_);
    for (auto* listener : listeners_) listener->on_durable(ids);
  });
}

void MemoryEngine::add_listener(EngineListener* listener) {
  MutexLock lock(listeners_mutex_);
  listeners_.push_back(listener);
}

void MemoryEngine::remove_listener(EngineListener* listener) {
  MutexLock lock(listeners_mutex_);
  std::erase(listeners_, listener);
}

// ---- what a test does

void MemoryEngine::fail_next_append(Error error) {
  MutexLock lock(mutex_);
  next_append_error_ = std::move(error);
}

void MemoryEngine::set_full(bool full) {
  {
    MutexLock lock(mutex_);
    full_ = full;
    if (!full_) write_waiting();
  }
  schedule();
}

void MemoryEngine::time_out_waiting() {
  {
    MutexLock lock(mutex_);
    for (auto& append : std::exchange(waiting_, {}))
      answer<Appended>(std::move(append.done), fail(Errc::kTimedOut, "no room in the log in time"));
  }
  schedule();
}

size_t MemoryEngine::waiting_appends() {
  MutexLock lock(mutex_);
  return waiting_.size();
}

void MemoryEngine::poison() {
  {
    MutexLock lock(mutex_);
    poisoned_ = true;
    for (auto& append : std::exchange(waiting_, {})) answer<Appended>(std::move(append.done), read_only());
  }
  schedule();
}

void MemoryEngine::set_log_start(PartitionId id, Offset to) {
  {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    MUST(partition);
    trim(*partition, to);
  }
  schedule();
}

void MemoryEngine::trim(Partition& partition, Offset to) {
  auto& batches = partition.batches;
  auto& ends = partition.ends;
  ends.log_start = to;
  for (; !batches.empty() && batches.front()->next <= to; batches.pop_front()) {
    ends.text_start = batches.front()->text_end();
    ends.retained_bytes -= static_cast<int64_t>(batches.front()->bytes.size());
  }
  if (!batches.empty()) ends.text_start = batches.front()->text_base;
  if (!batches.empty() && batches.front()->base < to)
    for (auto& record : batches.front()->parsed.records)
      if (batches.front()->base + record.offset_delta < to) ends.text_start += static_cast<int64_t>(record.text_bytes);
  actions_.push_back([this, id = partition.id] {
    MutexLock listeners(listeners_mutex_);
    for (auto* listener : listeners_) listener->on_trimmed(id);
  });
}

void MemoryEngine::delete_records(PartitionId id, Offset before, Completion<Offset> done) {
  auto outcome = [&]() -> Result<Offset> {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    if (!partition) return no_such_partition();
    auto& ends = partition->ends;
    if (before == kDurableEnd) before = ends.durable_end;
    if (before < Offset(0) || before > ends.durable_end) return fail(Errc::kOutOfRange, "no such offset");
    if (poisoned_) return read_only();
    if (before > ends.log_start) trim(*partition, before);
    return ends.log_start;
  }();
  answer_now(std::move(done), std::move(outcome));
}

// ---- catalog

TopicPtr MemoryEngine::find_topic(std::string_view name) {
  MutexLock lock(mutex_);
  auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second;
}

TopicPtr MemoryEngine::topic_of(const Uuid& id) {
  for (auto& [name, topic] : topics_)
    if (topic->id == id) return topic;
  return nullptr;
}

TopicPtr MemoryEngine::find_topic(const Uuid& id) {
  MutexLock lock(mutex_);
  return topic_of(id);
}

TopicPtr MemoryEngine::find_topic(TopicNumber number) {
  MutexLock lock(mutex_);
  for (auto& [name, topic] : topics_)
    if (topic->number == number) return topic;
  return nullptr;
}

std::optional<PartitionPlace> MemoryEngine::find_partition(PartitionId id) {
  MutexLock lock(mutex_);
  return place_of(id);
}

std::optional<PartitionPlace> MemoryEngine::place_of(PartitionId id) {
  for (auto& [name, topic] : topics_)
    for (size_t i = 0; i < topic->partitions.size(); ++i)
      if (topic->partitions[i].id == id) return PartitionPlace{topic, static_cast<int32_t>(i)};
  return std::nullopt;
}

std::vector<TopicPtr> MemoryEngine::list_topics() {
  MutexLock lock(mutex_);
  std::vector<TopicPtr> all;
  for (auto& [name, topic] : topics_) all.push_back(topic);
  return all;
}

void MemoryEngine::announce(TopicPtr topic) {
  actions_.push_back([this, t = std::move(topic)] {
    MutexLock lock(listeners_mutex_);
    for (auto* listener : listeners_) listener->on_topic_changed(t);
  });
}

TopicPtr MemoryEngine::replace(TopicPtr topic) {
  topics_[topic->name] = topic;
  announce(topic);
  return topic;
}

void MemoryEngine::add_partition_infos(TopicInfo& topic, int32_t total, Ownership ownership) {
  while (topic.partitions.size() < static_cast<size_t>(total)) {
    PartitionId id(++last_partition_);
    topic.partitions.push_back({id, ownership, topic.changed, topic.changed});
    auto partition = std::make_unique<Partition>();
    partition->id = id;
    partition->topic = topic.number;
    partition->ends.modified = topic.changed;
    partitions_[id] = std::move(partition);
  }
}

void MemoryEngine::create_topic(NewTopic wanted, Completion<TopicPtr> done) {
  auto outcome = [&]() -> Result<TopicPtr> {
    if (!is_valid_topic_name(wanted.name))
      return fail(Errc::kInvalidArgument, "topic names are 1 to 249 of [A-Za-z0-9._-]");
    if (wanted.partitions < 0 || wanted.partitions > kMaxPartitionsPerTopic)
      return fail(Errc::kInvalidArgument, "a topic has 0 to 100000 partitions");
    TRY_ASSIGN(wanted.settings, parse_topic_settings(wanted.settings));
    MutexLock lock(mutex_);
    if (poisoned_) return read_only();
    if (topics_.contains(wanted.name)) return fail(Errc::kExists, "topic " + wanted.name + " exists already");
    auto topic = std::make_shared<TopicInfo>();
    topic->id = random_uuid(system_random());
    topic->number = TopicNumber(++last_topic_);
    topic->name = std::move(wanted.name);
    topic->ownership = wanted.ownership;
    topic->settings = std::move(wanted.settings);
    topic->created = topic->changed = clock_.wall_now();
    add_partition_infos(*topic, wanted.partitions, wanted.partition_ownership);
    return replace(std::move(topic));
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::add_partitions(const Uuid& id, int32_t total, Ownership ownership,
                                  Completion<TopicPtr> done) {
  auto outcome = [&]() -> Result<TopicPtr> {
    MutexLock lock(mutex_);
    auto old = topic_of(id);
    if (!old) return no_such_topic();
    auto size = static_cast<int32_t>(old->partitions.size());
    if (poisoned_) return read_only();
    if (total == size) return fail(Errc::kExists, "the topic has that many partitions already");
    if (total < size || total > kMaxPartitionsPerTopic)
      return fail(Errc::kInvalidArgument, "partitions can only be added, up to 100000");
    auto topic = std::make_shared<TopicInfo>(*old);
    topic->changed = clock_.wall_now();
    add_partition_infos(*topic, total, ownership);
    return replace(std::move(topic));
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::delete_topic(const Uuid& id, OnlyEmpty only_empty, Completion<void> done) {
  auto outcome = [&]() -> Result<void> {
    MutexLock lock(mutex_);
    auto old = topic_of(id);
    if (!old) return no_such_topic();
    if (poisoned_) return read_only();
    for (auto& partition : old->partitions)
      if (only_empty == OnlyEmpty::yes && find(partition.id)->ever_written)
        return fail(Errc::kNotEmpty, "the topic holds records");
    for (auto& partition : old->partitions) partitions_.erase(partition.id);
    topics_.erase(old->name);
    groups_.forget(*old);
    actions_.push_back([this, old] {
      MutexLock listeners(listeners_mutex_);
      for (auto* listener : listeners_) listener->on_topic_deleted(old);
    });
    return {};
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::change_settings(const Uuid& id, std::map<std::string, std::optional<std::string>> changes,
                                   Completion<TopicPtr> done) {
  auto outcome = [&]() -> Result<TopicPtr> {
    MutexLock lock(mutex_);
    auto old = topic_of(id);
    if (!old) return no_such_topic();
    if (poisoned_) return read_only();
    auto topic = std::make_shared<TopicInfo>(*old);
    for (auto& [name, value] : changes) {
      if (value) topic->settings[name] = *value;
      else topic->settings.erase(name);
    }
    TRY_ASSIGN(topic->settings, parse_topic_settings(topic->settings));
    topic->changed = clock_.wall_now();
    return replace(std::move(topic));
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::change_ownership(const Uuid& id, OwnershipChange change, Completion<TopicPtr> done) {
  auto outcome = [&]() -> Result<TopicPtr> {
    MutexLock lock(mutex_);
    auto old = topic_of(id);
    if (!old) return no_such_topic();
    auto topic = std::make_shared<TopicInfo>(*old);
    apply(change, topic->ownership);
    topic->changed = clock_.wall_now();
    return replace(std::move(topic));
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::change_ownership(PartitionId id, OwnershipChange change, Completion<TopicPtr> done) {
  auto outcome = [&]() -> Result<TopicPtr> {
    MutexLock lock(mutex_);
    auto place = place_of(id);
    if (!place) return no_such_partition();
    auto topic = std::make_shared<TopicInfo>(*place->topic);
    auto& partition = topic->partitions[static_cast<size_t>(place->index)];
    apply(change, partition.ownership);
    partition.changed = clock_.wall_now();
    return replace(std::move(topic));
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::set_modified(PartitionId id, WallMilliseconds time, Completion<void> done) {
  auto outcome = [&]() -> Result<void> {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    if (!partition) return no_such_partition();
    partition->ends.modified = time;
    return {};
  }();
  answer_now(std::move(done), std::move(outcome));
}

// ---- appends

MemoryEngine::Partition* MemoryEngine::find(PartitionId id) {
  auto found = partitions_.find(id);
  return found == partitions_.end() ? nullptr : found->second.get();
}

ByteSpan MemoryEngine::keep(Batch& batch, std::vector<std::byte> bytes) {
  auto room = options_.region.subspan(region_used_);
  if (bytes.size() > room.size()) {
    batch.own = std::move(bytes);
    return batch.own;
  }
  std::memcpy(room.data(), bytes.data(), bytes.size());
  region_used_ += bytes.size();
  return room.first(bytes.size());
}

void MemoryEngine::write(Partition& partition, WaitingAppend append) {
  bool log_time = topic_setting(place_of(partition.id)->topic->settings, "message.timestamp.type") == "LogAppendTime";
  auto now = clock_.wall_now();
  auto batch = std::make_shared<Batch>();
  batch->parsed = std::move(append.parsed);
  batch->base = partition.ends.visible_end;
  batch->next = batch->base + batch->parsed.validated.record_count;
  batch->text_base = partition.ends.text_end;
  append.batch.resize(batch->parsed.validated.size_bytes);
  stamp(append.batch, batch->parsed, batch->base,
        log_time ? TimestampType::log_append_time : TimestampType::create_time, now);
  if (log_time)
    for (auto& record : batch->parsed.records) record.timestamp = now.count();
  batch->bytes = keep(*batch, std::move(append.batch));
  partition.ends.visible_end = batch->next;
  partition.ends.text_end = batch->text_end();
  partition.ends.retained_bytes += static_cast<int64_t>(batch->bytes.size());
  partition.ends.modified = now;
  partition.ever_written = true;
  Appended appended{batch->base, partition.ends.log_start, batch->text_end()};
  if (log_time) appended.log_append_time = now;
  if (append.since.count() > 0) appended.waited = std::chrono::ceil<std::chrono::milliseconds>(clock_.now() - append.since);
  if (partition.epochs.empty() || partition.epochs.back().epoch < leader_epoch_)
    partition.epochs.push_back({leader_epoch_, batch->base});
  partition.batches.push_back(std::move(batch));

  actions_.push_back([this, id = partition.id] {
    MutexLock lock(listeners_mutex_);
    for (auto* listener : listeners_) listener->on_visible(id);
  });
  if (append.ack == Ack::buffered) {
    answer<Appended>(std::move(append.done), appended);
    uncommitted_.push_back({partition.id, true, nullptr});
  } else {
    uncommitted_.push_back(
        {partition.id, true, [d = std::move(append.done), appended]() mutable { d(appended); }});
  }
}

void MemoryEngine::write_waiting() {
  for (auto& append : std::exchange(waiting_, {})) {
    if (auto* partition = find(append.partition)) write(*partition, std::move(append));
    else answer<Appended>(std::move(append.done), no_such_partition());
  }
}

RequestId MemoryEngine::append(WaitingAppend append, Wait wait) {
  RequestId request = 0;
  {
    MutexLock lock(mutex_);
    auto* partition = find(append.partition);
    if (poisoned_) {
      answer<Appended>(std::move(append.done), read_only());
    } else if (next_append_error_) {
      answer<Appended>(std::move(append.done), tl::unexpected(*std::exchange(next_append_error_, std::nullopt)));
    } else if (!partition) {
      answer<Appended>(std::move(append.done), no_such_partition());
    } else if (full_ && wait == Wait::no) {
      answer<Appended>(std::move(append.done), fail(Errc::kWouldBlock, "the log is full"));
    } else if (full_) {
      request = append.request = ++last_request_;
      append.since = clock_.now();
      waiting_.push_back(std::move(append));
    } else {
      write(*partition, std::move(append));
    }
  }
  schedule();
  return request;
}

RequestId MemoryEngine::append_batch(PartitionId id, ByteSpan span, AppendOptions options,
                                     Completion<Appended> done) {
  std::vector<std::byte> batch(span.begin(), span.end());
  auto parsed = [&]() -> Result<MemoryBatch> {
    auto place = find_partition(id);
    if (!place) return no_such_partition();
    auto& settings = place->topic->settings;
    ValidateLimits limits;
    limits.max_batch_bytes = static_cast<size_t>(topic_setting_number(settings, "max.message.bytes"));
    limits.keys = topic_setting_has(settings, "cleanup.policy", "compact") ? Require::yes : Require::no;
    return parse_batch(batch, limits);
  }();
  if (parsed) return append({0, id, std::move(batch), std::move(*parsed), options.ack, std::move(done)}, options.wait);
  answer_now<Appended>(std::move(done), tl::unexpected(std::move(parsed).error()));
  return 0;
}

RequestId MemoryEngine::append_text(PartitionId id, std::span<const ByteSpan> pieces, LastLine,
                                    AppendOptions options, Completion<Appended> done) {
  std::string text;
  for (auto piece : pieces) text += as_text(piece);
  if (text.empty() || text.size() > kMaxTextAppendBytes) {
    answer_now<Appended>(std::move(done), text.empty() ? fail(Errc::kInvalidArgument, "nothing to append")
                                                       : fail(Errc::kTooLarge, "too much text at once"));
    return 0;
  }
  auto batch = build_batch(text, clock_.wall_now());
  ValidateLimits limits;
  limits.max_batch_bytes = std::numeric_limits<int32_t>::max();
  auto parsed = parse_batch(batch, limits);
  return append({0, id, std::move(batch), std::move(parsed.value()), options.ack, std::move(done)}, options.wait);
}

void MemoryEngine::cancel(RequestId request) {
  {
    MutexLock lock(mutex_);
    auto found = std::find_if(waiting_.begin(), waiting_.end(), [&](auto& w) { return w.request == request; });
    if (request == 0 || found == waiting_.end()) return;
    answer<Appended>(std::move(found->done), fail(Errc::kCancelled, "the append was cancelled"));
    waiting_.erase(found);
  }
  schedule();
}

void MemoryEngine::sync(PartitionId id, Completion<void> done) {
  {
    MutexLock lock(mutex_);
    if (poisoned_) answer<void>(std::move(done), read_only());
    else if (!find(id)) answer<void>(std::move(done), no_such_partition());
    else uncommitted_.push_back({id, false, [d = std::move(done)]() mutable { d({}); }});
  }
  schedule();
}

void MemoryEngine::allocate_producer_ids(int32_t count, Completion<int64_t> done) {
  auto outcome = [&]() -> Result<int64_t> {
    if (count < 1) return fail(Errc::kInvalidArgument, "ask for at least one producer id");
    MutexLock lock(mutex_);
    if (poisoned_) return read_only();
    return std::exchange(next_producer_id_, next_producer_id_ + count);
  }();
  answer_now(std::move(done), std::move(outcome));
}

// ---- consumer groups

template <class Act>
void MemoryEngine::change_groups(Completion<void> done, Act act) {
  auto outcome = [&]() -> Result<void> {
    MutexLock lock(mutex_);
    if (poisoned_) return read_only();
    return act();
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) {
  change_groups(std::move(done), [&]() REQUIRES(mutex_) -> Result<void> {
    std::erase_if(offsets, [this](auto& o) REQUIRES(mutex_) { return !find(o.partition); });
    groups_.commit(group, offsets, clock_.wall_now());
    return {};
  });
}

void MemoryEngine::fetch_offsets(std::string group, Completion<std::vector<CommittedOffset>> done) {
  Result<std::vector<CommittedOffset>> offsets = [&] {
    MutexLock lock(mutex_);
    return groups_.offsets(group);
  }();
  answer_now(std::move(done), std::move(offsets));
}

void MemoryEngine::delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) {
  change_groups(std::move(done), [&]() REQUIRES(mutex_) -> Result<void> { return groups_.remove_offsets(group, partitions), Result<void>(); });
}

void MemoryEngine::save_group(std::string group, GroupState state, Completion<void> done) {
  change_groups(std::move(done), [&]() REQUIRES(mutex_) -> Result<void> {
    groups_.save(group, std::move(state), clock_.wall_now());
    return {};
  });
}

void MemoryEngine::delete_group(std::string group, Completion<void> done) {
  change_groups(std::move(done), [&]() REQUIRES(mutex_) { return groups_.remove(group); });
}

void MemoryEngine::list_groups(std::string after, Completion<std::vector<StoredGroup>> done) {
  Result<std::vector<StoredGroup>> some = [&] {
    MutexLock lock(mutex_);
    return groups_.list(after);
  }();
  answer_now(std::move(done), std::move(some));
}

// ---- reads

Result<PartitionEnds> MemoryEngine::ends(PartitionId id) {
  MutexLock lock(mutex_);
  auto* partition = find(id);
  if (!partition) return no_such_partition();
  return partition->ends;
}

void MemoryEngine::hold_reads() {
  MutexLock lock(mutex_);
  holds_reads_ = true;
}

void MemoryEngine::answer_reads() {
  std::vector<Task> held;
  {
    MutexLock lock(mutex_);
    holds_reads_ = false;
    held.swap(held_reads_);
  }
  for (Task& read : held) read();
}

void MemoryEngine::read_text(PartitionId id, TextPosition from, size_t max_bytes, Completion<TextRead> done) {
  {
    MutexLock lock(mutex_);
    if (holds_reads_)
      return held_reads_.push_back([this, id, from, max_bytes, done = std::move(done)]() mutable {
        read_text(id, from, max_bytes, std::move(done));
      });
  }
  auto outcome = [&]() -> Result<TextRead> {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    if (!partition) return no_such_partition();
    if (from < partition->ends.text_start) return fail(Errc::kOutOfRange, "the text there was deleted");
    TextRead read{{}, partition->ends};
    auto keeper = std::make_shared<std::pair<std::shared_ptr<int>, std::vector<std::shared_ptr<Batch>>>>();
    keeper->first = pin_token_;
    for (auto& batch : partition->batches) {
      if (batch->text_end() <= from || read.text.size == max_bytes) continue;
      auto skip = static_cast<size_t>(std::max<int64_t>(0, from - batch->text_base));
      auto piece = as_byte_span(batch->parsed.text).subspan(skip);
      read.text.pieces.push_back(piece.first(std::min(piece.size(), max_bytes - read.text.size)));
      read.text.size += read.text.pieces.back().size();
      keeper->second.push_back(batch);
    }
    if (read.text.size) read.text.pin = std::move(keeper);
    return read;
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::fetch(PartitionId id, Offset from, size_t max_bytes, Completion<Fetched> done) {
  auto outcome = [&]() -> Result<Fetched> {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    if (!partition) return no_such_partition();
    if (from < partition->ends.log_start || from > partition->ends.visible_end)
      return fail(Errc::kOutOfRange, "the offset is not in the log");
    Fetched fetched{{}, partition->ends};
    auto& bytes = fetched.batches;
    auto keeper = std::make_shared<std::pair<std::shared_ptr<int>, std::vector<std::shared_ptr<Batch>>>>();
    keeper->first = pin_token_;
    auto first = std::partition_point(partition->batches.begin(), partition->batches.end(),
                                      [&](auto& b) { return b->next <= from; });
    for (auto at = first; at != partition->batches.end(); ++at) {
      auto& batch = **at;
      bool fits = bytes.size == 0 || bytes.size + batch.bytes.size() <= max_bytes;
      if (!fits || batch.next > partition->ends.durable_end) break;
      bytes.pieces.push_back(batch.bytes);
      bytes.size += batch.bytes.size();
      keeper->second.push_back(*at);
    }
    if (bytes.size) bytes.pin = std::move(keeper);
    return fetched;
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::find_timestamp(PartitionId id, int64_t timestamp, Completion<TimestampedOffset> done) {
  auto outcome = [&]() -> Result<TimestampedOffset> {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    if (!partition) return no_such_partition();
    TimestampedOffset best;
    for (auto& batch : partition->batches) {
      for (auto& record : batch->parsed.records) {
        TimestampedOffset here{batch->base + record.offset_delta, record.timestamp};
        for (const EpochStart& e : partition->epochs)
          if (e.start <= here.offset) here.leader_epoch = e.epoch;
        if (timestamp != kMaxTimestamp && here.timestamp >= timestamp) return here;
        if (timestamp == kMaxTimestamp && (best.offset.v < 0 || here.timestamp > best.timestamp)) best = here;
      }
    }
    return best;
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::leader_epochs(PartitionId id, Completion<std::vector<EpochStart>> done) {
  auto outcome = [&]() -> Result<std::vector<EpochStart>> {
    MutexLock lock(mutex_);
    auto* partition = find(id);
    if (!partition) return no_such_partition();
    return partition->epochs;
  }();
  answer_now(std::move(done), std::move(outcome));
}

void MemoryEngine::status(Completion<std::string> done) {
  std::string json;
  {
    MutexLock lock(mutex_);
    json = R"({"engine":"memory","topics":)" + std::to_string(topics_.size()) + R"(,"partitions":)" +
           std::to_string(partitions_.size()) + "}";
  }
  answer_now<std::string>(std::move(done), std::move(json));
}

}  // namespace topicfs::testing
