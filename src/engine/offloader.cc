#include "engine/offloader.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "engine/offload_job.h"

namespace topicfs {
namespace {

constexpr uint64_t kMarkBytes = 1 << 20;             // how finely the log can be cut
constexpr uint64_t kReadBackBytes = 24 << 20;        // of an object's batches that are to be in memory of their own
constexpr uint64_t kObjectsPerCheckpoint = 64;       // of what a recovery from the bucket reads footers
constexpr MonotonicTime kFirstRetry = std::chrono::milliseconds(200), kLastRetry = std::chrono::seconds(30);
constexpr size_t kMostUnrecorded = 8;                // objects that are put, while the log writes what says so
constexpr int64_t kQuickBytes = 64 << 20;           // that are put within kQuick
constexpr MonotonicTime kQuick = std::chrono::milliseconds(200);

}  // namespace

Offloader::Offloader(OffloadOptions options, OffloadParts parts, Uuid store_id, uint64_t epoch)
    : options_(std::move(options)), parts_(parts), store_id_(store_id), epoch_(epoch) {}

Offloader::~Offloader() = default;

// ---- recovery

void Offloader::recover_from(wal::LogPosition from) {
  MutexLock l(mutex_);
  offloaded_ = from;
}

void Offloader::recovered(wal::LogPosition end, uint64_t payload_bytes, bool changed) {
  MutexLock l(mutex_);
  recovered_payload_ += payload_bytes;
  durable_ = {end, recovered_payload_};
  if (marks_.empty() || durable_.payload - marks_.back().payload >= kMarkBytes) marks_.push_back(durable_);
  if (payload_bytes > 0 || changed) dirty_ = true;
}

void Offloader::start(ControlQueue& control) {
  control_ = &control;
  MutexLock l(mutex_);
  oldest_ = parts_.clock.now();
  if (durable_.end < offloaded_) durable_ = {offloaded_, recovered_payload_};
  // What the replayed records say is in objects is not cut into another one.
  for (; !marks_.empty() && marks_.front().end <= offloaded_; marks_.pop_front())
    put_payload_ = marks_.front().payload;
  if (dirty_) consider_soon();
}

// ---- when

void Offloader::on_durable(wal::LogPosition end, uint64_t payload_bytes, bool data) {
  MutexLock l(mutex_);
  if (end <= durable_.end) return;
  durable_ = {end, payload_bytes + recovered_payload_};
  if (marks_.empty() || durable_.payload - marks_.back().payload >= kMarkBytes ||
      end.segment() != marks_.back().end.segment())
    marks_.push_back(durable_);
  if (data && !std::exchange(dirty_, true)) {
    oldest_ = parts_.clock.now();
    consider_soon();
  } else if (!busy_ && due(parts_.clock.now())) {
    consider_soon();
  }
}

void Offloader::on_catalog_changed() {
  MutexLock l(mutex_);
  if (std::exchange(dirty_, true)) return;
  oldest_ = parts_.clock.now();
  consider_soon();
}

void Offloader::on_topic_deletion(Offset recorded) { newest_deletion_.store(recorded.v); }

void Offloader::on_poisoned(const Error& error) {
  parts_.checkpoints.on_poisoned();
  {
    MutexLock l(mutex_);
    poison_ = error;
    consider_soon();
  }
  retry_now();
}

void Offloader::consider_soon() {
  if (std::exchange(considering_, true)) return;
  parts_.executor.post([this] { consider(); });
}

bool Offloader::due(MonotonicTime now) {
  if (stopped_ || !dirty_) return false;
  if (is_poisoned()) return true;
  uint64_t pending = durable_.payload - put_payload_;
  uint64_t log_bytes = uint64_t{durable_.end.segment() - stored().segment()} * parts_.segments.segment_bytes();
  return finishing_ || pending >= options_.object_bytes || pending >= options_.pressure_bytes ||
         log_bytes * 4 >= options_.log_bytes * 3 || now - oldest_ >= options_.interval;
}

/// Starts a job if one is due, or sees to it that this is looked at again in time.
void Offloader::consider() {
  std::shared_ptr<Job> job;
  bool finished = false, rescued = false;
  {
    MutexLock l(mutex_);
    considering_ = false;
    if (busy_ || stopped_ || !control_) return;
    if (due(parts_.clock.now())) {
      if (unrecorded_.size() >= kMostUnrecorded && !is_poisoned()) return;
      job = make_job();
      busy_ = true;
    } else if (finishing_ || is_poisoned()) {
      finished = finishing_ && (unrecorded_.empty() || is_poisoned());
      rescued = is_poisoned() && !std::exchange(rescue_told_, true);
    } else if (dirty_ && !timer_) {
      timer_ = parts_.executor.at(oldest_ + options_.interval, [this] {
        {
          MutexLock inner(mutex_);
          timer_ = 0;
        }
        consider();
      });
    }
  }
  if (rescued) LOG_WARNING("what was durable when the log failed is in {}", parts_.store.url());
  if (job) be_patient();
  if (job) gather(std::move(job));
  else if (finished) end_finish({});
}

/// What writes faster than the store does a moment's wait is cheaper than reading back from the log what memory had.
void Offloader::be_patient() {
  {
    MutexLock l(mutex_);
    if (!quick_) return;
    if (patience_timer_) parts_.executor.cancel(patience_timer_);
    patience_timer_ = parts_.executor.at(parts_.clock.now() + 2 * kQuick, [this] { lose_patience(); });
  }
  parts_.segments.keep_unread(true);
}

void Offloader::lose_patience() {
  {
    MutexLock l(mutex_);
    if (patience_timer_) parts_.executor.cancel(std::exchange(patience_timer_, 0));
  }
  parts_.segments.keep_unread(false);
}

std::shared_ptr<Offloader::Job> Offloader::make_job() {
  auto job = std::make_shared<Job>();
  Mark end = durable_;
  uint64_t most = options_.object_bytes;
  // What the pool has given up is read back into the heap, of which an object must not take too much.
  const wal::LogPosition from = stored();
  if (!parts_.segments.is_in_memory(from)) most = std::min(most, kReadBackBytes);
  for (const Mark& m : marks_) {
    if (m.payload - put_payload_ < most) continue;
    end = m;
    break;
  }
  MUST(from <= end.end);
  uint64_t last = std::max(last_sequence_, put_sequence_);
  job->object.epoch = epoch_;
  job->object.sequence = last + (planted(PlantedBug::reuse_key) && last > 0 ? 0 : 1);
  job->object.key = object_key(epoch_, job->object.sequence);
  job->object.from = from;
  job->object.to = end.end;
  job->payload_end = end.payload;
  if (end.end == durable_.end) dirty_ = false;  // what comes from now on sets it again
  oldest_ = job->began = parts_.clock.now();
  return job;
}

// ---- what is put becomes known

/// The next object may be put: a start from the store finds both. A log that has failed takes no record of them, so that
/// nothing here may count on them.
void Offloader::note_put(const std::shared_ptr<Job>& job) {
  // The record needs memory of the log's, which the job must not hold back.
  job->built.pieces.clear();
  job->bytes.reset();
  if (job->builder->batches() == 0) job->object.key.clear();  // of topics that were deleted
  {
    MutexLock l(mutex_);
    const MonotonicTime took = parts_.clock.now() - job->began;
    const auto bytes = static_cast<int64_t>(job->payload_end - put_payload_);
    quick_ = took <= kQuick && took * kQuickBytes <= kQuick * bytes;
    put_to_ = job->object.to;
    if (!job->object.key.empty()) put_sequence_ = job->object.sequence;
    put_payload_ = job->payload_end;
    while (!marks_.empty() && marks_.front().end <= put_to_) marks_.pop_front();
    counters_.objects++;
    counters_.bytes += job->object.size_bytes;
    busy_ = false;
    if (!is_poisoned()) unrecorded_.push_back(job);
  }
  record();
  parts_.executor.post([this] { consider(); });
}

/// What is put becomes known by records, in order: of all that waits, together.
void Offloader::record() {
  {
    MutexLock l(mutex_);
    if (recording_ || unrecorded_.empty() || is_poisoned()) return;
    recording_ = true;
  }
  auto taken = std::make_shared<size_t>(0);
  auto decide = [this, taken]() -> Result<std::vector<ControlRecord>> {
    std::vector<ControlRecord> records;
    MutexLock l(mutex_);
    for (const auto& job : unrecorded_) records.push_back(Offloaded{job->object});
    *taken = records.size();
    return records;
  };
  auto recorded = [this, taken](Result<void> r) {
    if (!r) return try_again(Chain::records, std::move(r).error(), [this] { record_again(); });
    std::vector<std::shared_ptr<Job>> known;
    {
      MutexLock l(mutex_);
      recording_ = false;
      for (; known.size() < *taken; unrecorded_.pop_front()) known.push_back(std::move(unrecorded_.front()));
    }
    for (const auto& job : known)
      if (job->built.size > 0) parts_.objects.keep_footer(job->object.key, std::move(job->built.footer));
    maybe_release_segments();
    record();
    parts_.executor.post([this] { consider(); });
  };
  control_->change_all(std::move(decide), std::move(recorded), By::engine);
}

void Offloader::record_again() {
  {
    MutexLock l(mutex_);
    recording_ = false;
  }
  record();
}

void Offloader::apply(const StoredObject& object) {
  uint32_t index = object.key.empty() ? 0 : parts_.objects.add(object);
  MonotonicTime now = parts_.clock.now();
  for (Partition* p : parts_.catalog.partitions()) {
    if (object.key.empty()) break;
    std::vector<BatchRef> refs = p->batches_between(object.from, object.to);
    if (refs.empty()) continue;
    for (const BatchRef& r : refs) {
      if (!r.producer.is_set()) continue;
      parts_.producers.remember(parts_.producers.find(p->id, r.producer.id), p->id, r.producer, r.records, r.base,
                                r.max_timestamp, 0, now);
    }
    // Control records are read from objects that no checkpoint knows, and from no others: they need no extents.
    if (p->id == kControlPartition) p->trim(refs.back().end(), refs.back().text_end(), kNeverDropped);
    if (p->add_offloaded(refs, index)) parts_.objects.retain(index);
  }
  {
    MutexLock l(mutex_);
    MUST(offloaded_ <= object.to);
    offloaded_ = object.to;
    if (object.epoch == epoch_ && !object.key.empty()) last_sequence_ = object.sequence;
  }
  parts_.segments.set_offloaded(object.to);
}

/// There is no later any more.
void Offloader::retry_now() {
  for (Chain chain : {Chain::objects, Chain::records}) {
    Task again;
    {
      MutexLock l(mutex_);
      Retry& r = retry_of(chain);
      if (!r.timer || !parts_.executor.cancel(std::exchange(r.timer, 0))) continue;
      again = std::move(r.task);
    }
    parts_.executor.post(std::move(again));
  }
}

/// The store, or the disk, may come back: waits longer each time, with jitter, up to kLastRetry.
void Offloader::try_again(Chain chain, Error error, Task task) {
  lose_patience();
  MutexLock l(mutex_);
  quick_ = false;
  int doublings = std::min(failures_in_a_row_++, 16);
  MonotonicTime wait = std::min<MonotonicTime>(finishing_ ? kFirstRetry : kLastRetry, kFirstRetry * (1 << doublings));
  wait = wait / 2 + wait / 2 * static_cast<int64_t>(parts_.random.next() % 1024) / 1024;
  counters_.failures++;
  counters_.last_error = error.message();
  if (failures_in_a_row_ == 1 || doublings > 7)
    LOG_WARNING("an offload to {} failed and will be tried again: {}", parts_.store.url(), error.message());
  if (stopped_) return;
  retry_of(chain).task = std::move(task);
  retry_of(chain).timer = parts_.executor.at(parts_.clock.now() + wait, [this, chain] {
    Task again;
    {
      MutexLock inner(mutex_);
      retry_of(chain).timer = 0;
      if (stopped_) return;
      again = std::move(retry_of(chain).task);
    }
    again();
  });
}

// ---- checkpoints and the segments that they free

uint64_t Offloader::objects_since_checkpoint() {
  uint64_t known = parts_.checkpoints.uploaded_sequence();
  return last_sequence_ > known ? last_sequence_ - known : 0;
}

void Offloader::maybe_release_segments() {
  wal::Segments::Counts counts = parts_.segments.counts();
  bool upload, release;
  {
    MutexLock l(mutex_);
    upload = objects_since_checkpoint() >= kObjectsPerCheckpoint;
    release = counts.live > options_.keep_segments && counts.oldest_live < offloaded_.segment();
  }
  if (upload || release) parts_.checkpoints.save(upload ? Upload::yes : Upload::no, [](Result<SavedCheckpoint>) {});
}

// ---- ending

void Offloader::finish(MonotonicTime deadline, Completion<void> done) {
  {
    MutexLock l(mutex_);
    finishing_ = true;
    finish_done_ = std::move(done);
    finish_timer_ = parts_.executor.at(deadline, [this] {
      {
        MutexLock inner(mutex_);
        finish_timer_ = 0;
      }
      end_finish(fail(Errc::kTimedOut, "not everything was offloaded in time; it stays in the log"));
    });
  }
  retry_now();
  parts_.executor.post([this] { consider(); });
}

Error Offloader::outcome_of_rescue(bool complete) {
  Error e{poison_.code, 0, poison_.message()};
  if (complete) e.what += fmt::format("; all that was acknowledged before is in {}", parts_.store.url());
  else e.what += fmt::format("; {} bytes of what was acknowledged before are not in {}",
                             durable_.payload - put_payload_, parts_.store.url());
  return e;
}

void Offloader::end_finish(Result<void> result) {
  Completion<void> done;
  bool checkpoint;
  {
    MutexLock l(mutex_);
    if (!finish_done_) return;
    if (is_poisoned()) result = tl::unexpected<Error>(outcome_of_rescue(result.has_value()));
    checkpoint = result && objects_since_checkpoint() > 0;
    if (!checkpoint) {
      done = std::move(finish_done_);
      stopped_ = true;
      if (finish_timer_) parts_.executor.cancel(std::exchange(finish_timer_, 0));
    }
  }
  if (!checkpoint) return done(std::move(result));
  parts_.checkpoints.save(Upload::yes, [this](Result<SavedCheckpoint> saved) {
    if (saved) end_finish({});
    else end_finish(tl::unexpected<Error>(std::move(saved).error()));
  });
}

void Offloader::stop() {
  MutexLock l(mutex_);
  stopped_ = true;
  for (TimerId* t : {&timer_, &finish_timer_, &object_retry_.timer, &record_retry_.timer, &patience_timer_})
    if (*t) parts_.executor.cancel(std::exchange(*t, 0));
}

wal::LogPosition Offloader::offloaded() const {
  MutexLock l(mutex_);
  return offloaded_;
}

uint64_t Offloader::last_sequence() const {
  MutexLock l(mutex_);
  return last_sequence_;
}

OffloadCounters Offloader::counters() const {
  MutexLock l(mutex_);
  OffloadCounters c = counters_;
  c.pending_bytes = durable_.payload - put_payload_;
  return c;
}

}  // namespace topicfs
