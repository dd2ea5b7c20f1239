#include "engine/local_engine.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/log.h"
#include "base/topic_settings.h"
#include "engine/topic_settings.h"
#include "record/recompress.h"

namespace topicfs {

LocalEngine::LocalEngine(EngineOptions options, EngineParts parts)
    : options_(std::move(options)), parts_(parts), groups_(catalog_, parts_.clock) {}

LocalEngine::~LocalEngine() { close(); }

void LocalEngine::close() {
  if (objects_) objects_->close();  // who waits for one may go on with what is in memory, as long as all is here
  if (retention_) retention_->stop();
  if (collector_) collector_->stop();
  if (offloader_) offloader_->stop();
  if (appends_) appends_->stop();
  if (log_) log_->stop();
  if (segments_) segments_->stop();
}

// ---- data

Result<Partition*> LocalEngine::partition_of(PartitionId id) {
  Partition* p = catalog_.partition(id);
  if (!p || id == kControlPartition) return fail(Errc::kNotFound, "there is no such partition");
  return p;
}

/// What lies too far from now for the topic. Records that get the time of their append may say anything.
static void limit_timestamps(const Partition& p, WallMilliseconds now, ValidateLimits& limits) {
  if (p.log_append_time.load(std::memory_order_relaxed)) return;
  int64_t t = std::max<int64_t>(now.count(), 0);
  int64_t after = p.timestamp_after_max.load(std::memory_order_relaxed);
  limits.min_timestamp = t - p.timestamp_before_max.load(std::memory_order_relaxed);
  if (after <= std::numeric_limits<int64_t>::max() - t) limits.max_timestamp = t + after;
}

/// `batch` with the topic's codec, in memory that nobody else changes.
static Result<std::vector<std::byte>> compressed_for(ByteSpan batch, const ValidateLimits& limits,
                                                     Partition::Compression to) {
  std::vector<std::byte> own(batch.begin(), batch.end());
  TRY_ASSIGN(ValidatedBatch checked, validate_batch(own, limits));
  return recompress_batch(checked, own, static_cast<Codec>(to.codec), to.level, limits);
}

RequestId LocalEngine::append_batch(PartitionId partition, ByteSpan batch, AppendOptions options,
                                    Completion<Appended> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error())), 0;
  ValidateLimits limits;
  limits.max_batch_bytes = (*p)->max_message_bytes.load(std::memory_order_relaxed);
  limits.max_text_bytes = options_.max_batch_text;
  limits.keys = (*p)->needs_keys.load(std::memory_order_relaxed) ? Require::yes : Require::no;
  limit_timestamps(**p, parts_.clock.wall_now(), limits);
  const auto to = (*p)->compression.load(std::memory_order_relaxed);
  std::vector<std::byte> compressed;
  if (to.codec != Partition::kAsProduced && codec_bits(batch) != to.codec) {
    auto made = compressed_for(batch, limits, to);
    if (!made) return done(tl::unexpected<Error>(std::move(made).error())), 0;
    compressed = std::move(*made);
    batch = compressed;  // which is copied before append_batch returns
  }
  return appends_->append_batch(**p, batch, limits, (*p)->log_append_time.load(std::memory_order_relaxed), options,
                                std::move(done));
}

RequestId LocalEngine::append_text(PartitionId partition, std::span<const ByteSpan> pieces, LastLine last,
                                   AppendOptions options, Completion<Appended> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error())), 0;
  return appends_->append_text(**p, pieces, last, options, std::move(done));
}

void LocalEngine::sync(PartitionId partition, Completion<void> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error()));
  appends_->sync(**p, std::move(done));
}

Result<PartitionEnds> LocalEngine::ends(PartitionId partition) {
  TRY_ASSIGN(Partition * p, partition_of(partition));
  return p->ends();
}

void LocalEngine::read_text(PartitionId partition, TextPosition from, size_t max_bytes, Completion<TextRead> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error()));
  reads_->read_text(**p, from, max_bytes, std::move(done));
}

void LocalEngine::fetch(PartitionId partition, Offset from, size_t max_bytes, Completion<Fetched> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error()));
  reads_->fetch(**p, from, max_bytes, std::move(done));
}

void LocalEngine::find_timestamp(PartitionId partition, int64_t timestamp, Completion<TimestampedOffset> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error()));
  auto with_epoch = [partition = *p, done = std::move(done)](Result<TimestampedOffset> found) mutable {
    if (found && found->offset.v >= 0)
      for (const EpochStart& e : partition->epochs())
        if (e.start <= found->offset) found->leader_epoch = e.epoch;
    done(std::move(found));
  };
  reads_->find_timestamp(**p, timestamp, std::move(with_epoch));
}

void LocalEngine::leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error()));
  done((*p)->epochs());
}

void LocalEngine::set_modified(PartitionId partition, WallMilliseconds time, Completion<void> done) {
  auto p = partition_of(partition);
  if (!p) return done(tl::unexpected<Error>(p.error()));
  (*p)->set_modified(time);
  done({});
}

void LocalEngine::on_durable(std::span<const wal::PartitionEnd> ends, wal::LogPosition end, uint64_t payload_bytes) {
  std::vector<PartitionId> grown;
  grown.reserve(ends.size());
  for (const wal::PartitionEnd& e : ends) {
    if (Partition* p = catalog_.partition(e.partition)) p->set_durable_end(e.end);
    if (e.partition != kControlPartition) grown.push_back(e.partition);
  }
  if (!grown.empty()) listeners_.tell([&](EngineListener& l) { l.on_durable(grown); });
  if (!grown.empty()) retention_->on_data();
  offloader_->on_durable(end, payload_bytes, !grown.empty());
}

// ---- the log start

void LocalEngine::delete_records(PartitionId partition, Offset before, Completion<Offset> done) {
  auto found = partition_of(partition);
  if (!found) return done(tl::unexpected<Error>(found.error()));
  Partition* p = *found;
  PartitionEnds ends = p->ends();
  if (before == kDurableEnd) before = ends.durable_end;
  if (before < Offset(0) || before > ends.durable_end)
    return done(fail(Errc::kOutOfRange, "offset " + std::to_string(before.v) + " is not between 0 and the durable end " +
                                            std::to_string(ends.durable_end.v)));
  if (before <= ends.log_start) return done(ends.log_start);
  reads_->find_text(*p, before, [this, p, before, done = std::move(done)](Result<TextPosition> text) mutable {
    if (p->ends().log_start >= before) return done(p->ends().log_start);  // someone else has deleted them meanwhile
    if (!text) return done(tl::unexpected<Error>(std::move(text).error()));
    move_log_starts({{p->id, before, *text}}, [p, done = std::move(done)](Result<void> moved) mutable {
      if (moved) done(p->ends().log_start);
      else done(tl::unexpected<Error>(std::move(moved).error()));
    });
  });
}

void LocalEngine::move_log_starts(std::vector<LogStart> starts, Completion<void> done) {
  MUST(starts.size() <= kMaxMovedLogStarts);
  auto decide = [this, starts = std::move(starts)]() mutable -> Result<std::optional<ControlRecord>> {
    std::erase_if(starts, [this](const LogStart& s) {
      Partition* p = catalog_.partition(s.partition);
      return !p || p->ends().log_start >= s.offset;
    });
    if (starts.empty()) return std::optional<ControlRecord>();
    return ControlRecord(LogStartsMoved{std::move(starts)});
  };
  control_->change(std::move(decide), std::move(done));
}

void LocalEngine::apply_log_starts(const LogStartsMoved& record, Offset offset) {
  for (const LogStart& s : record.starts)
    if (Partition* p = catalog_.partition(s.partition)) objects_->release(p->trim(s.offset, s.text, offset));
}

// ---- the catalog

void LocalEngine::change_topic(ControlQueue::Decide decide, Uuid topic, Completion<TopicPtr> done) {
  control_->change(std::move(decide), [this, topic, done = std::move(done)](Result<void> changed) mutable {
    if (!changed) return done(tl::unexpected<Error>(std::move(changed).error()));
    done(catalog_.find(topic));
  });
}

static Result<TopicPtr> must_find(const Catalog& catalog, const Uuid& id) {
  TopicPtr topic = catalog.find(id);
  if (!topic) return fail(Errc::kNotFound, "there is no such topic");
  return topic;
}

void LocalEngine::create_topic(NewTopic topic, Completion<TopicPtr> done) {
  Uuid id = random_uuid(parts_.random);
  auto decide = [this, id, topic = std::move(topic)]() -> Result<std::optional<ControlRecord>> {
    if (!is_valid_topic_name(topic.name))
      return fail(Errc::kInvalidArgument, "'" + topic.name + "' is not a topic's name: 1 to 249 of A-Z a-z 0-9 . _ -");
    if (catalog_.find(topic.name)) return fail(Errc::kExists, "the topic " + topic.name + " exists");
    if (topic.partitions < 0 || topic.partitions > kMaxPartitionsPerTopic)
      return fail(Errc::kInvalidArgument, "a topic has at most " + std::to_string(kMaxPartitionsPerTopic) + " partitions");
    TRY_ASSIGN(TopicSettings settings, parse_topic_settings(topic.settings));
    TRY_ASSIGN(PartitionId first, catalog_.next_partition_ids(topic.partitions));
    WallMilliseconds now = parts_.clock.wall_now();
    TopicInfo info{id, catalog_.next_topic_number(), topic.name, topic.ownership, std::move(settings), now, now, {}};
    for (int32_t i = 0; i < topic.partitions; i++)
      info.partitions.push_back({first + static_cast<uint32_t>(i), topic.partition_ownership, now, now});
    return ControlRecord(TopicCreated{std::move(info)});
  };
  change_topic(std::move(decide), id, std::move(done));
}

void LocalEngine::add_partitions(const Uuid& topic, int32_t total, Ownership ownership, Completion<TopicPtr> done) {
  auto decide = [this, topic, total, ownership]() -> Result<std::optional<ControlRecord>> {
    TRY_ASSIGN(TopicPtr t, must_find(catalog_, topic));
    int32_t have = static_cast<int32_t>(t->partitions.size());
    if (total <= have) return fail(Errc::kExists, "the topic " + t->name + " has " + std::to_string(have) + " partitions");
    if (total > kMaxPartitionsPerTopic)
      return fail(Errc::kInvalidArgument, "a topic has at most " + std::to_string(kMaxPartitionsPerTopic) + " partitions");
    TRY_ASSIGN(PartitionId first, catalog_.next_partition_ids(total - have));
    WallMilliseconds now = parts_.clock.wall_now();
    PartitionsAdded added{topic, {}};
    for (int32_t i = have; i < total; i++)
      added.partitions.push_back({first + static_cast<uint32_t>(i - have), ownership, now, now});
    return ControlRecord(std::move(added));
  };
  change_topic(std::move(decide), topic, std::move(done));
}

void LocalEngine::delete_topic(const Uuid& topic, OnlyEmpty only_empty, Completion<void> done) {
  auto decide = [this, topic, only_empty]() -> Result<std::optional<ControlRecord>> {
    TRY_ASSIGN(TopicPtr t, must_find(catalog_, topic));
    for (const PartitionInfo& p : t->partitions) {
      if (only_empty == OnlyEmpty::no) break;
      if (catalog_.partition(p.id)->ends().visible_end > Offset(0))
        return fail(Errc::kNotEmpty, "the topic " + t->name + " has data");
    }
    return ControlRecord(TopicDeleted{topic});
  };
  control_->change(std::move(decide), std::move(done));
}

void LocalEngine::change_settings(const Uuid& topic, std::map<std::string, std::optional<std::string>> changes,
                                  Completion<TopicPtr> done) {
  auto decide = [this, topic, changes = std::move(changes)]() -> Result<std::optional<ControlRecord>> {
    TRY_ASSIGN(TopicPtr t, must_find(catalog_, topic));
    TopicSettings settings = t->settings;
    for (const auto& [name, value] : changes) {
      if (value) settings[name] = *value;
      else settings.erase(name);
    }
    TRY_ASSIGN(settings, parse_topic_settings(settings));
    return ControlRecord(SettingsChanged{topic, std::move(settings), parts_.clock.wall_now()});
  };
  change_topic(std::move(decide), topic, std::move(done));
}

void LocalEngine::change_ownership(const Uuid& topic, OwnershipChange change, Completion<TopicPtr> done) {
  change_owner(topic, std::nullopt, change, std::move(done));
}

void LocalEngine::change_ownership(PartitionId partition, OwnershipChange change, Completion<TopicPtr> done) {
  auto place = catalog_.find(partition);
  if (!place) return done(fail(Errc::kNotFound, "there is no such partition"));
  change_owner(place->topic->id, partition, change, std::move(done));
}

void LocalEngine::change_owner(const Uuid& topic, std::optional<PartitionId> partition, OwnershipChange change,
                               Completion<TopicPtr> done) {
  auto decide = [this, topic, partition, change]() -> Result<std::optional<ControlRecord>> {
    TRY_ASSIGN(TopicPtr t, must_find(catalog_, topic));
    Ownership owner = t->ownership;
    if (partition) owner = t->partitions[static_cast<size_t>(catalog_.find(*partition)->index)].ownership;
    if (change.uid) owner.uid = *change.uid;
    if (change.gid) owner.gid = *change.gid;
    if (change.mode) owner.mode = *change.mode & 07777;
    return ControlRecord(OwnershipChanged{topic, partition, owner, parts_.clock.wall_now()});
  };
  change_topic(std::move(decide), topic, std::move(done));
}

/// Ids carry the epoch: what this engine gives, no other start does, so nothing need be written down.
void LocalEngine::allocate_producer_ids(int32_t count, Completion<int64_t> done) {
  if (count <= 0) return done(fail(Errc::kInvalidArgument, "no producer ids asked for"));
  int64_t first = next_producer_id_.fetch_add(count);
  if ((first + count - 1) >> kProducerIdBits != static_cast<int64_t>(epoch_))
    return done(fail(Errc::kFull, "there are no more producer ids; a restart brings new ones"));
  done(first);
}

void LocalEngine::apply(const ControlRecord& record, Offset offset) {
  control_end_.store(offset.v + 1);
  take_effect(record, offset);
  if (objects_->worth_collecting()) collector_->on_dead();
}

void LocalEngine::take_effect(const ControlRecord& record, Offset offset) {
  if (auto* r = std::get_if<Offloaded>(&record)) return offloader_->apply(r->object);
  if (auto* r = std::get_if<GroupRecord>(&record)) {
    groups_.apply(*r);
    return offloader_->on_catalog_changed();
  }
  if (auto* r = std::get_if<LogStartsMoved>(&record)) {
    apply_log_starts(*r, offset);
    for (const LogStart& s : r->starts) listeners_.tell([&](EngineListener& l) { l.on_trimmed(s.partition); });
    return offloader_->on_catalog_changed();
  }
  if (std::holds_alternative<TopicDeleted>(record)) offloader_->on_topic_deletion(offset);
  auto change = catalog_.apply(record);
  MUST(change);  // it was decided on this very catalog
  if (change->after) {
    apply_settings(*change->after);
    retention_->on_settings();
    listeners_.tell([&](EngineListener& l) { l.on_topic_changed(change->after); });
  } else {
    forget_topic(*change);
    listeners_.tell([&](EngineListener& l) { l.on_topic_deleted(change->before); });
  }
  offloader_->on_catalog_changed();
}

void LocalEngine::apply_settings(const TopicInfo& topic) {
  for (const PartitionInfo& info : topic.partitions)
    topicfs::apply_settings(topic.settings, options_.max_message_bytes, *catalog_.partition(info.id));
}

/// What its partitions held is free; the objects of which nothing else lives go in time.
void LocalEngine::forget_topic(const Catalog::Change& change) {
  groups_.forget(*change.before);
  for (Partition* p : change.gone) {
    Partition::Leftovers left = p->abandon();
    objects_->release(left.extents);
    for (auto& waiter : left.waiters) waiter.done(fail(Errc::kNotFound, "the topic has been deleted"));
  }
}

void LocalEngine::make_offloader() {
  OffloadOptions o;
  o.interval = options_.offload_interval;
  o.object_bytes = options_.object_bytes;
  o.pressure_bytes = options_.pool_bytes / 4 * 3;
  o.log_bytes = options_.wal_max_bytes;
  uint64_t max_segments = options_.wal_max_bytes / options_.wal_segment_bytes;
  o.keep_segments = static_cast<uint32_t>(
      std::clamp<uint64_t>(options_.pool_bytes / options_.wal_segment_bytes, 1, max_segments / 2));
  checkpoints_ = std::make_unique<Checkpointer>(
      CheckpointerOptions{options_.data_dir, o.keep_segments},
      CheckpointerParts{parts_.files, parts_.device, parts_.store, *segments_, catalog_, *objects_},
      [this] { return make_checkpoint(); });
  offloader_ = std::make_unique<Offloader>(o,
                                           OffloadParts{parts_.device, parts_.store, parts_.executor, parts_.clock,
                                                        parts_.random, *segments_, catalog_, *objects_, *checkpoints_,
                                                        offloaded_producers_},
                                           store_id_, epoch_);
  collector_ = std::make_unique<Collector>(
      CollectorParts{parts_.store, parts_.executor, parts_.clock, parts_.random, *objects_, *checkpoints_}, epoch_);
  retention_ = std::make_unique<Retention>(catalog_, parts_.executor, parts_.clock,
                                           [this](std::vector<LogStart> starts, Completion<void> done) {
                                             move_log_starts(std::move(starts), std::move(done));
                                           });
}

void LocalEngine::stop(MonotonicTime deadline, Completion<void> done) {
  appends_->refuse();
  retention_->stop();
  collector_->stop();
  // What was asked for before, appended without waiting for it, and on its way to the disk, is offloaded too.
  control_->close([this, deadline, done = std::move(done)]() mutable {
    appends_->sync_all([this, deadline, done = std::move(done)](Result<void> synced) mutable {
      offloader_->finish(deadline, [this, synced = std::move(synced), done = std::move(done)](Result<void> finished) mutable {
        offloader_->stop();
        done(finished ? std::move(synced) : std::move(finished));
      });
    });
  });
}

}  // namespace topicfs
