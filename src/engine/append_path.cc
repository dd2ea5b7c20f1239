#include "engine/append.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "codec/endian.h"
#include "engine/file_batch.h"

namespace topicfs {
namespace {

constexpr MonotonicTime kDiskIsStuck = std::chrono::seconds(1);  // in one write of the log
constexpr MonotonicTime kQuiet = std::chrono::seconds(10);  // between warnings
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

int64_t whole_milliseconds(MonotonicTime time) { return std::chrono::floor<std::chrono::milliseconds>(time).count(); }

size_t total_bytes(std::span<const ByteSpan> pieces) {
  size_t n = 0;
  for (ByteSpan p : pieces) n += p.size();
  return n;
}

}  // namespace

/// The newest batch of lines while it may grow.
struct AppendPath::OpenBatch {
  Partition* partition = nullptr;
  wal::Place place;
  BatchRef ref;
  int64_t base_timestamp = 0;
};

AppendPath::AppendPath(AppendLimits limits, int32_t leader_epoch, wal::Log& log, ProducerTable& producers,
                       Executor& executor, Clock& clock, OnVisible on_visible)
    : limits_(limits),
      leader_epoch_(leader_epoch),
      log_(log),
      producers_(producers),
      executor_(executor),
      clock_(clock),
      on_visible_(std::move(on_visible)),
      open_(std::make_unique<OpenBatch>()) {
  MutexLock l(log_.mutex());
  arm_producer_timer();
}

AppendPath::~AppendPath() = default;

// ---- the verbs

RequestId AppendPath::append_text(Partition& partition, std::span<const ByteSpan> pieces, LastLine, AppendOptions options,
                                  Completion<Appended> done) {
  Append append;
  append.partition = &partition;
  append.options = options;
  append.done = std::move(done);
  append.pieces = pieces;
  append.text_bytes = total_bytes(pieces);
  if (append.text_bytes > kMaxTextAppendBytes)
    return append.done(fail(Errc::kTooLarge, "one append takes at most " + std::to_string(kMaxTextAppendBytes) + " bytes")), 0;
  if (append.text_bytes == 0) {
    PartitionEnds ends = partition.ends();
    return append.done(Appended{ends.visible_end, ends.log_start, ends.text_end, WallMilliseconds(-1)}), 0;
  }
  if (append.is_large()) {
    LineSplitter lines = append.lines();
    for (LinesPlan p; (p = plan_records(lines, 0, 0, kMaxFileBatchBytes, Least::one)).record_count > 0;)
      append.plan.push_back(p);
  }
  return start(append);
}

RequestId AppendPath::append_batch(Partition& partition, ByteSpan batch, const ValidateLimits& limits,
                                   bool log_append_time, AppendOptions options, Completion<Appended> done) {
  Append append;
  append.partition = &partition;
  append.options = options;
  append.done = std::move(done);
  auto checked = validate_batch(batch, limits);
  if (!checked) return append.done(tl::unexpected<Error>(std::move(checked).error())), 0;
  append.checked = std::move(*checked);
  if (log_append_time && append.checked.header.has_log_append_time())  // Kafka: no producer may say so
    return append.done(fail(errc_of(BatchFault::invalid_timestamp),
                            std::string(name_of(BatchFault::invalid_timestamp)) +
                                ": the topic's records get the time of their append from the log alone")), 0;
  append.batch = batch.first(append.checked.size_bytes);
  append.now = clock_.wall_now();
  append.checked.header.store(append.header);
  append.producer = producer_of(append.checked.header);
  if (log_append_time) {
    append.value.log_append_time = append.now;
    append.checked.max_timestamp = append.now.count();
    rewrite_times(append.header, TimestampType::log_append_time, append.now.count());
  } else if (append.checked.needs_rewrite()) {
    rewrite_times(append.header, TimestampType::create_time, append.checked.max_timestamp);
  }
  return start(append);
}

void AppendPath::append_control(Partition& control, std::string_view json, wal::Reserve reserve,
                                Completion<Appended> done) {
  Append append;
  append.partition = &control;
  append.options = {Ack::durable, Wait::no};
  append.done = std::move(done);
  append.reserve = reserve;
  ByteSpan pieces[] = {as_byte_span(json), as_byte_span("\n")};
  append.pieces = pieces;
  append.text_bytes = json.size() + 1;
  if (append.is_large()) {
    LineSplitter lines = append.lines();
    append.plan.push_back(plan_records(lines, 0, 0, kNoLimit));
  }
  start(append);
}

RequestId AppendPath::start(Append& append) {
  Outcome outcome;
  {
    MutexLock l(log_.mutex());
    if (!waiting_.empty() && !append.is_control() && !planted(PlantedBug::order_by_wake_up)) outcome = Outcome::no_room;
    else outcome = place(append);
    if (outcome == Outcome::no_room) {
      RequestId id = wait_for_room(append);
      if (id) return id;
      outcome = Outcome::failed;
    }
  }
  fill(append);
  answer(append, outcome);
  return 0;
}

void AppendPath::sync(Partition& partition, Completion<void> done) {
  {
    MutexLock l(log_.mutex());
    if (log_.poison().what.empty() && partition.durable_end() >= partition.next_offset) {
      l.unlock();
      return done({});
    }
  }
  sync_all(std::move(done));
}

void AppendPath::sync_all(Completion<void> done) {
  Error error;
  {
    MutexLock l(log_.mutex());
    if (!log_.poison().what.empty()) {
      error = log_.poison();
    } else if (!log_.all_durable()) {
      log_.wait_durable(
          [done = std::move(done)](Result<Appended> r) mutable {
            if (r) done({});
            else done(tl::unexpected<Error>(std::move(r).error()));
          },
          {});
      log_.kick();
      return;
    }
  }
  if (error.what.empty()) done({});
  else done(tl::unexpected<Error>(std::move(error)));
}

// ---- placing, under the log's lock

AppendPath::Outcome AppendPath::place(Append& append) {
  if (stopped_ || (refusing_ && !append.is_control())) return append.error = {Errc::kClosed, 0, "the log is closing"}, Outcome::failed;
  // Before anything else is found wrong with it: a producer that is told of a gap behind a batch that is in doubt would
  // begin a new epoch and send that batch again, as another.
  if (!log_.poison().what.empty()) return append.error = log_.poison(), Outcome::failed;
  if (append.now.count() == 0) append.now = clock_.wall_now();
  append.value.base_offset = append.partition->next_offset;
  Outcome outcome = append.is_batch() ? place_batch(append)
                    : append.is_large() ? place_large_text(append)
                                        : place_small_text(append);
  if (outcome == Outcome::placed) finish_placing(append);
  if (outcome == Outcome::failed && append.error.what.empty()) append.error = {Errc::kClosed, 0, "the log is closing"};
  return outcome;
}

static void describe(BatchRef& ref, const LinesPlan& plan, WallMilliseconds now) {
  ref.bytes = static_cast<uint32_t>(kBatchHeaderBytes + plan.records_bytes);
  ref.records = static_cast<uint32_t>(plan.record_count);
  ref.text_bytes = static_cast<int64_t>(plan.text_bytes);
  ref.max_timestamp = now.count();
  ref.from_file = true;
}

static uint32_t body_at(const BatchRef& ref) { return ref.at.byte() + static_cast<uint32_t>(sizeof(wal::EntryHeader)); }
static uint32_t records_at(const BatchRef& ref) { return body_at(ref) + static_cast<uint32_t>(kBatchHeaderBytes); }

AppendPath::Outcome AppendPath::place_small_text(Append& append) {
  if (grow_open_batch(append)) return Outcome::placed;
  LineSplitter lines = append.lines(), again = lines;
  LinesPlan plan = plan_records(lines, 0, 0, kNoLimit);
  wal::Place place;
  switch (log_.reserve(kBatchHeaderBytes + plan.records_bytes, place, append.reserve)) {
    case wal::Room::no: return Outcome::no_room;
    case wal::Room::poisoned: return Outcome::failed;
    case wal::Room::yes: break;
  }
  finish_open_entry();
  Partition& p = *append.partition;
  BatchRef ref;
  ref.base = p.next_offset, ref.text = p.next_text;
  ref.at = place.at, ref.sequence = place.sequence;
  describe(ref, plan, append.now);
  put_records(log_.bytes_of(place), records_at(ref), again, plan, 0, 0);
  *open_ = {&p, place, ref, append.now.count()};
  push_ref(append, ref);
  return Outcome::placed;
}

bool AppendPath::grow_open_batch(Append& append) {
  Partition& p = *append.partition;
  BatchRef& ref = open_->ref;
  if (open_->partition != &p || ref.bytes + append.text_bytes > kMaxFileBatchBytes) return false;
  int64_t timestamp_delta = append.now.count() - open_->base_timestamp;
  int32_t first = static_cast<int32_t>(ref.records);
  LineSplitter lines = append.lines(), again = lines;
  LinesPlan plan = plan_records(lines, timestamp_delta, first, kNoLimit);
  if (!log_.extend(open_->place, ref.bytes, ref.bytes + plan.records_bytes)) return false;
  uint32_t behind = body_at(ref) + ref.bytes;
  put_records(log_.bytes_of(open_->place), behind, again, plan, timestamp_delta, first);
  ref.bytes += static_cast<uint32_t>(plan.records_bytes);
  ref.records += static_cast<uint32_t>(plan.record_count);
  ref.text_bytes += static_cast<int64_t>(plan.text_bytes);
  ref.max_timestamp = std::max(ref.max_timestamp, append.now.count());
  p.next_offset += plan.record_count;
  p.next_text += static_cast<int64_t>(plan.text_bytes);
  p.grow(static_cast<uint32_t>(plan.records_bytes), static_cast<uint32_t>(plan.record_count),
         static_cast<int64_t>(plan.text_bytes), append.now.count(), append.now);
  return true;
}

AppendPath::Outcome AppendPath::place_large_text(Append& append) {
  uint64_t footprint = 0;
  for (const LinesPlan& p : append.plan) footprint += wal::entry_footprint(kBatchHeaderBytes + p.records_bytes);
  if (footprint > log_.max_entry_bytes())
    return append.error = {Errc::kTooLarge, 0, "this append does not fit into one segment of the log, or takes more than half of the pool"}, Outcome::failed;
  switch (log_.make_room(footprint, append.reserve)) {
    case wal::Room::no: return Outcome::no_room;
    case wal::Room::poisoned: return Outcome::failed;
    case wal::Room::yes: break;
  }
  finish_open_entry();
  for (const LinesPlan& plan : append.plan) {
    Part part;
    log_.reserve_next(kBatchHeaderBytes + plan.records_bytes, part.place);
    part.ref.base = append.partition->next_offset, part.ref.text = append.partition->next_text;
    part.ref.at = part.place.at, part.ref.sequence = part.place.sequence;
    describe(part.ref, plan, append.now);
    part.ref.filled = false;
    push_ref(append, part.ref);
    append.parts.push_back(part);
  }
  return Outcome::placed;
}

AppendPath::Outcome AppendPath::place_batch(Append& append) {
  if (wal::entry_footprint(append.batch.size()) > log_.max_entry_bytes())
    return append.error = {Errc::kTooLarge, 0, "this batch does not fit into one segment of the log, or takes more than half of the pool"}, Outcome::failed;
  ProducerTable::Producer* producer = nullptr;
  if (append.producer.is_set()) {
    producer = producers_.find(append.partition->id, append.producer.id);
    if (Outcome judged = judge_producer(append, producer); judged != Outcome::placed) return judged;
  }
  Part part;
  switch (log_.reserve(append.batch.size(), part.place)) {
    case wal::Room::no: return Outcome::no_room;
    case wal::Room::poisoned: return Outcome::failed;
    case wal::Room::yes: break;
  }
  finish_open_entry();
  Partition& p = *append.partition;
  stamp_offset(append.header, p.next_offset, leader_epoch_);
  part.ref.base = p.next_offset, part.ref.text = p.next_text;
  part.ref.at = part.place.at, part.ref.sequence = part.place.sequence;
  part.ref.bytes = static_cast<uint32_t>(append.batch.size());
  part.ref.records = static_cast<uint32_t>(append.checked.record_count);
  part.ref.text_bytes = static_cast<int64_t>(append.checked.text_size_bytes);
  part.ref.max_timestamp = append.checked.max_timestamp;
  part.ref.producer = append.producer;
  part.ref.codec = append.checked.header.raw_codec();
  part.ref.control = append.checked.header.is_control();
  part.ref.filled = !append.is_large();
  if (part.ref.filled) put_batch(append, part);
  else append.parts.push_back(part);
  push_ref(append, part.ref);
  if (append.producer.is_set()) {
    producers_.remember(producer, p.id, append.producer, part.ref.records, part.ref.base, part.ref.max_timestamp,
                        part.place.commit, clock_.now());
    arm_producer_timer();
  }
  return Outcome::placed;
}

void AppendPath::push_ref(Append& append, const BatchRef& ref) {
  if (append.partition->newest_epoch != leader_epoch_) append.partition->note_epoch(leader_epoch_, ref.base);
  append.partition->next_offset = ref.end();
  append.partition->next_text = ref.text_end();
  append.partition->push(ref, append.now);
}

void AppendPath::finish_placing(Append& append) {
  Partition& p = *append.partition;
  counters_.placed++;
  append.end = p.next_offset;
  append.value.text_end = p.next_text;
  log_.note_end(p.end_mark, p.id, p.next_offset);
  if (!append.parts.empty()) log_.fill_begun(append.parts.front().place);
  if (append.options.ack == Ack::durable) {
    append.value.log_start = p.ends().log_start;
    log_.wait_durable(std::move(append.done), append.value);
  }
  log_.kick();
}

void AppendPath::finish_open_entry() {
  if (!open_->partition) return;
  put_file_headers(log_.bytes_of(open_->place), open_->ref, open_->base_timestamp, open_->partition->id, leader_epoch_);
  open_->partition = nullptr;
}

// ---- filling, without it

void AppendPath::fill(Append& append) {
  if (append.parts.empty()) return;
  LineSplitter lines = append.lines();
  for (size_t i = 0; i < append.parts.size(); i++) {
    const Part& part = append.parts[i];
    if (append.is_batch()) {
      put_batch(append, part);
    } else {
      const wal::SegmentBytes bytes = log_.bytes_of(part.place);
      put_records(bytes, records_at(part.ref), lines, append.plan[i], 0, 0);
      put_file_headers(bytes, part.ref, append.now.count(), append.partition->id, leader_epoch_);
    }
  }
  // Visible first: the commit that waits for this copy moves the durable end, which is never beyond the visible one.
  std::vector<Partition::VisibleWaiter> visible;
  for (const Part& part : append.parts) append.partition->mark_filled(part.ref.base, visible);
  {
    MutexLock l(log_.mutex());
    log_.fill_ended(append.parts.front().place);
  }
  for (Partition::VisibleWaiter& waiter : visible) waiter.done(std::move(waiter.value));
}

void AppendPath::put_batch(Append& append, const Part& part) {
  const wal::SegmentBytes bytes = log_.bytes_of(part.place);
  ByteSpan header(append.header);
  uint32_t crc = crc32c(header.subspan(kBatchCrcStart));
  crc = bytes.put_summed(records_at(part.ref), append.batch.subspan(kBatchHeaderBytes), crc);
  if (crc != BatchHeader::load(append.header).crc) {
    // Who shares the memory with us changed it after it was checked. The log must stay whole all the same.
    LOG_ERROR("a producer's batch changed while it was copied into partition {}", append.partition->id.v);
    store_be<uint32_t>(append.header.data() + kBatchCrcOffset, crc);
  }
  bytes.put(body_at(part.ref), header);
  put_entry_header(bytes, part.ref, append.partition->id, 0);
}

void AppendPath::answer(Append& append, Outcome outcome) {
  if (outcome == Outcome::failed) {
    append.done(tl::unexpected<Error>(std::move(append.error)));
    return;
  }
  if (outcome == Outcome::repeated) {
    if (append.done) append.done(std::move(append.value));  // else the original's commit answers
    return;
  }
  on_visible_(append.partition->id);
  if (append.options.ack == Ack::durable) return;  // the log answers
  append.value.log_start = append.partition->ends().log_start;
  Partition::VisibleWaiter waiter{append.end, std::move(append.done), append.value};
  if (append.partition->visible_or_wait(waiter)) waiter.done(std::move(waiter.value));
}

// ---- waiting for room

RequestId AppendPath::wait_for_room(Append& append) {
  size_t size = append.is_batch() ? append.batch.size() : append.text_bytes;
  expect_again(append);
  if (append.is_control()) return append.error = {Errc::kFull, 0, "the log has no room even for its own records"}, 0;
  if (append.options.wait == Wait::no)
    return append.error = {Errc::kWouldBlock, 0, "the log is full; try again later"}, 0;
  if (waiting_.size() >= kMaxWaiting || waiting_bytes_ + size > kMaxWaitingBytes)
    return append.error = {Errc::kFull, 0, "the log is full and too many appends wait for room already"}, 0;
  auto waiting = std::make_unique<Waiting>();
  waiting->bytes.reserve(size);
  if (append.is_batch()) waiting->bytes.assign(append.batch.begin(), append.batch.end());
  for (ByteSpan p : append.pieces) waiting->bytes.insert(waiting->bytes.end(), p.begin(), p.end());
  waiting->piece = waiting->bytes;
  waiting->append = std::move(append);
  if (waiting->append.is_batch()) waiting->append.batch = waiting->piece;
  else waiting->append.pieces = {&waiting->piece, 1};
  waiting->id = next_request_++;
  waiting->since = clock_.now();
  waiting->deadline = waiting->since + limits_.append_timeout;
  waiting_bytes_ += size;
  counters_.waited++;
  waiting_.push_back(std::move(waiting));
  arm_timer();
  return waiting_.back()->id;
}

void AppendPath::on_room() {
  {
    MutexLock l(log_.mutex());
    if (waiting_.empty()) return;
    if (std::exchange(room_came_, true)) return;
  }
  executor_.post([this] { pump(); });
}

/// Places what waits, in order, as far as there is room. One thread at a time, so that the order holds.
void AppendPath::pump() {
  for (;;) {
    std::unique_ptr<Waiting> next;
    Outcome outcome;
    {
      MutexLock l(log_.mutex());
      if (pumping_) return;
      room_came_ = false;
      if (waiting_.empty()) return;
      Waiting& first = *waiting_.front();
      first.append.value.waited = std::chrono::ceil<std::chrono::milliseconds>(clock_.now() - first.since);
      outcome = place(first.append);
      if (outcome == Outcome::no_room) return;
      next = std::move(waiting_.front());
      waiting_.pop_front();
      waiting_bytes_ -= next->bytes.size();
      pumping_ = true;
    }
    fill(next->append);
    answer(next->append, outcome);
    MutexLock l(log_.mutex());
    pumping_ = false;
  }
}

void AppendPath::cancel(RequestId request) {
  WaitingList ended;
  {
    MutexLock l(log_.mutex());
    auto it = std::find_if(waiting_.begin(), waiting_.end(), [&](auto& w) { return w->id == request; });
    if (it == waiting_.end()) return;
    waiting_bytes_ -= (*it)->bytes.size();
    ended.push_back(std::move(*it));
    waiting_.erase(it);
    counters_.cancelled++;
    give_up_followers(ended);
  }
  end_waiting(std::move(ended), Errc::kCancelled, "interrupted while waiting for room in the log");
}

void AppendPath::arm_timer() {
  if (timer_ || waiting_.empty() || refusing_) return;
  timer_ = executor_.at(std::min(waiting_.front()->deadline, clock_.now() + kLookForRoom), [this] { on_timer(); });
}

void AppendPath::on_timer() {
  WaitingList ended;
  MonotonicTime writing;
  {
    MutexLock l(log_.mutex());
    timer_ = 0;
    writing = log_.writing_for();
    while (!waiting_.empty() && waiting_.front()->deadline <= clock_.now()) {
      waiting_bytes_ -= waiting_.front()->bytes.size();
      ended.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      counters_.timed_out++;
    }
    give_up_followers(ended);
    arm_timer();
  }
  if (!ended.empty()) {
    const std::string why = why_no_room(writing);
    if (clock_.now() >= quiet_until_) {
      quiet_until_ = clock_.now() + kQuiet;
      LOG_WARNING("{} append{} found no room within {} ms: {}", ended.size(), ended.size() == 1 ? "" : "s",
                  whole_milliseconds(limits_.append_timeout), why);
    }
    end_waiting(std::move(ended), Errc::kTimedOut, why);
  }
  pump();
}

/// `writing`: how long the disk has been at the log's write.
std::string AppendPath::why_no_room(MonotonicTime writing) {
  if (std::string disk = log_.disk_error(); !disk.empty()) return "the log is full, and the disk takes no more: " + disk;
  if (writing >= kDiskIsStuck)
    return fmt::format("no room came in time, and the disk has been at one write of the log for {} ms", whole_milliseconds(writing));
  return "the log is full and no room came in time; is the object store reachable? See topicfsctl status";
}

void AppendPath::end_waiting(WaitingList ended, Errc code, const std::string& what) {
  for (auto& w : ended) w->append.done(fail(code, what));
}

void AppendPath::stop() {
  refuse();
  MutexLock l(log_.mutex());
  stopped_ = true;
  if (producer_timer_) executor_.cancel(std::exchange(producer_timer_, 0));
}

void AppendPath::refuse() {
  WaitingList ended;
  {
    MutexLock l(log_.mutex());
    refusing_ = true;
    for (auto& w : waiting_) ended.push_back(std::move(w));
    waiting_.clear();
    waiting_bytes_ = 0;
    if (timer_) executor_.cancel(std::exchange(timer_, 0));
  }
  end_waiting(std::move(ended), Errc::kClosed, "the log is closing");
}

AppendCounters AppendPath::counters() {
  MutexLock l(log_.mutex());
  AppendCounters c = counters_;
  c.waiting = waiting_.size();
  c.waiting_bytes = waiting_bytes_;
  return c;
}

}  // namespace topicfs
