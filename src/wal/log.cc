#include "wal/log.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "codec/crc32c.h"
#include "codec/endian.h"

namespace topicfs::wal {

Log::Log(LogOptions options, LogStart start, Segments& segments, LogDevice& device, Executor& executor, Clock& clock,
         LogClient& client)
    : options_(options),
      segments_(segments),
      device_(device),
      executor_(executor),
      clock_(clock),
      client_(client),
      next_sequence_(start.sequence),
      next_commit_(start.commit),
      durable_{uint64_t{start.segment} << 32},
      previous_checksum_(start.previous_checksum),
      last_sequence_(start.sequence - 1) {}

Log::~Log() { stop(); }

/// What a segment can hold, and half the pool: a commit must fit into memory beside the one that is being written, or
/// its append would wait for room that never comes.
uint64_t Log::max_entry_bytes() const {
  return std::min(segments_.segment_bytes() - 2 * kBlockBytes, segments_.pool().size_bytes() / 2);
}

// ---- reserving

Room Log::make_room(uint64_t footprint, Reserve reserve) {
  if (poisoned_ || stopping_) return Room::poisoned;
  MUST(footprint <= max_entry_bytes());
  if (is_kept(footprint, reserve)) return starved_ = true, Room::no;
  if (has_open_ && open_.entries > 0 && tail_byte_ - open_.start + footprint > kMaxCommitBytes) close_open();
  for (int attempt = 0; attempt < 2; attempt++) {
    if (!tail_ || tail_byte_ + footprint + kCommitEntryBytes > segments_.segment_bytes()) {
      if (has_open_ && open_.entries > 0) close_open();
      if (!next_segment(reserve)) return starved_ = true, Room::no;
    }
  }
  uint32_t to = static_cast<uint32_t>(align_up(tail_byte_ + footprint + kCommitEntryBytes, kBlockBytes));
  if (!segments_.hold(*tail_, tail_byte_, to, durable_, reserve)) return starved_ = true, Room::no;
  return Room::yes;
}

Room Log::reserve(size_t body_bytes, Place& place, Reserve reserve) {
  if (Room room = make_room(entry_footprint(body_bytes), reserve); room != Room::yes) return room;
  reserve_next(body_bytes, place);
  return Room::yes;
}

void Log::reserve_next(size_t body_bytes, Place& place) {
  uint64_t footprint = entry_footprint(body_bytes);
  Commit& commit = open_commit();
  place = {LogPosition::at(tail_->number, tail_byte_), next_sequence_++, tail_, commit.number};
  tail_byte_ += static_cast<uint32_t>(footprint);
  commit.entries++;
  counters_.entries++;
  counters_.payload_bytes += footprint;
}

bool Log::extend(const Place& place, size_t old_body_bytes, size_t new_body_bytes) {
  if (!has_open_ || open_.number != place.commit) return false;
  uint64_t old_end = place.at.byte() + entry_footprint(old_body_bytes);
  uint64_t new_end = place.at.byte() + entry_footprint(new_body_bytes);
  if (old_end != tail_byte_ || new_end + kCommitEntryBytes > segments_.segment_bytes()) return false;
  if (new_end - open_.start > kMaxCommitBytes) return false;
  uint32_t to = static_cast<uint32_t>(align_up(new_end + kCommitEntryBytes, kBlockBytes));
  if (!segments_.hold(*tail_, tail_byte_ - 1, to, durable_, Reserve::keep)) return false;
  counters_.payload_bytes += new_end - old_end;
  tail_byte_ = static_cast<uint32_t>(new_end);
  return true;
}

Log::Commit& Log::open_commit() {
  if (has_open_) return open_;
  open_ = take_spare();
  open_.number = next_commit_++;
  open_.segment = tail_;
  open_.start = tail_byte_;
  open_.first = clock_.now();
  has_open_ = true;
  return open_;
}

Log::Commit Log::take_spare() {
  if (spare_.empty()) return Commit{};
  Commit c = std::move(spare_.back());
  spare_.pop_back();
  return c;
}

/// The open commit takes no more entries: its commit-entry goes behind the last, the next starts a fresh block.
void Log::close_open() {
  client_.finish_open_entry();
  open_.entries_end = tail_byte_;
  open_.end = static_cast<uint32_t>(align_up(tail_byte_ + kCommitEntryBytes, kBlockBytes));
  open_.payload_bytes = counters_.payload_bytes;
  counters_.padding_bytes += open_.end - open_.entries_end;
  tail_byte_ = open_.end;
  has_open_ = false;
  closed_.push_back(std::move(open_));
}

bool Log::next_segment(Reserve reserve) {
  Segment* next = segments_.open_next(reserve);
  if (!next) return false;
  if (tail_) tail_->end = tail_byte_;
  tail_ = next;
  tail_byte_ = kBlockBytes;
  tail_may_be_kept_ = reserve != Reserve::keep;
  return true;
}

/// The tail is the segment that was kept for the log's own records, there is no other to keep in its place, and this is
/// not what it was kept for.
bool Log::is_kept(uint64_t footprint, Reserve reserve) {
  if (!tail_may_be_kept_ || reserve == Reserve::use) return false;
  tail_may_be_kept_ = !segments_.keeps_one();
  return tail_may_be_kept_ && (reserve == Reserve::keep || tail_byte_ + footprint > segments_.segment_bytes() / 2);
}

void Log::fill_begun(const Place& place) {
  MUST(has_open_ && open_.number == place.commit);
  open_.fills++;
}

void Log::fill_ended(const Place& place) {
  if (has_open_ && open_.number == place.commit) {
    open_.fills--;
    return;
  }
  for (Commit& c : closed_) {
    if (c.number != place.commit) continue;
    if (--c.fills == 0) maybe_start();
    return;
  }
  MUST(poisoned_);  // a commit that waits for copies is not in flight
}

void Log::note_end(EndMark& mark, PartitionId partition, Offset end) {
  MUST(has_open_);
  if (mark.commit == open_.number) {
    open_.ends[mark.index].end = end;
    return;
  }
  mark = {open_.number, static_cast<uint32_t>(open_.ends.size())};
  open_.ends.push_back({partition, end});
}

void Log::wait_durable(Completion<Appended> done, Appended value) {
  MUST(!all_durable());
  if (planted(PlantedBug::acknowledge_before_sync)) {
    auto early = std::make_shared<Waiter>(Waiter{std::move(done), std::move(value)});
    executor_.post([early] { early->done(std::move(early->value)); });
    return;
  }
  Commit& last = has_open_ ? open_ : !closed_.empty() ? closed_.back() : in_flight_;
  last.waiters.push_back({std::move(done), std::move(value)});
}

bool Log::wait_commit(uint64_t number, Completion<Appended>& done, const Appended& value) {
  Commit* covering = has_open_ && open_.number == number ? &open_ : busy_ && in_flight_.number == number ? &in_flight_ : nullptr;
  for (Commit& c : closed_)
    if (c.number == number) covering = &c;
  if (!covering) return false;
  covering->waiters.push_back({std::move(done), value});
  return true;
}

bool Log::all_durable() { return !has_open_ && closed_.empty() && !busy_; }

// ---- committing

/// When the commit that fills is to start, the device being free: the zero of time means now.
MonotonicTime Log::start_time() {
  if (open_.waiters.size() >= std::max<size_t>(1, last_released_)) return {};
  const MonotonicTime at_last = open_.first + options_.sync_interval;
  if (open_.waiters.empty()) return at_last;
  // Those that the last commit has released will be back: on a slow disk it pays to wait for them a while. On a fast one
  // a write takes less than the wait.
  const MonotonicTime patience = std::max(last_took_ / kPatienceShare, options_.sync_interval / kIntervalShare);
  return patience < kLeastPatience ? MonotonicTime{} : std::min(at_last, free_since_ + patience);
}

void Log::kick() {
  last_activity_ = clock_.now();
  maybe_start();
}

void Log::maybe_start() {
  if (busy_ || poisoned_) return;
  if (closed_.empty()) {
    if (!has_open_) return;
    if (MonotonicTime when = start_time(); when > clock_.now()) return arm_timer(when);
    close_open();
  }
  if (closed_.front().fills > 0) return;  // the last fill_ended comes back here
  in_flight_ = std::move(closed_.front());
  closed_.pop_front();
  busy_ = true;
  submitted_at_ = clock_.now();
  written_durable_ = durable_;
  device_.submit(*this);
}

void Log::arm_timer(MonotonicTime when) {
  if (timer_ && timer_due_ <= when) return;
  if (timer_) executor_.cancel(timer_);
  timer_due_ = when;
  timer_ = executor_.at(when, [this] { on_timer(); });
}

void Log::on_timer() {
  MutexLock l(mutex_);
  timer_ = 0;
  if (stopping_) return;
  maybe_start();
  // As long as appends come it goes on by itself: to set it costs them the waking of another thread.
  const MonotonicTime now = clock_.now();
  if (!timer_ && now - last_activity_ < options_.sync_interval) arm_timer(now + options_.sync_interval);
}

/// The commit in flight, or one behind it.
bool Log::is_awaited() {
  MutexLock l(mutex_);
  auto awaited = [](const Commit& c) { return !c.waiters.empty(); };
  return awaited(in_flight_) || (has_open_ && awaited(open_)) || std::any_of(closed_.begin(), closed_.end(), awaited);
}

LogWrite::Where Log::prepare(std::vector<ByteSpan>& pieces) {
  write_began_ = clock_.now();
  finish(in_flight_);
  SegmentBytes(segments_.pool(), *in_flight_.segment).pieces(in_flight_.start, in_flight_.end - in_flight_.start, pieces);
  return {in_flight_.segment->file.get(), in_flight_.start};
}

/// Walks the commit's entries: sums those that came from files, whose headers changed until now, gives every
/// entry its CRC, and writes the commit-entry over all of them.
void Log::finish(Commit& commit) {
  SegmentBytes bytes(segments_.pool(), *commit.segment);
  std::byte header[sizeof(EntryHeader) + kBatchPrefixBytes];
  std::vector<ByteSpan> pieces;
  uint32_t crcs = 0, at = commit.start;
  for (uint32_t i = 0; i < commit.entries; i++) {
    bytes.get(at, header);
    EntryHeader entry = load_entry(header);
    if (entry.type == EntryType::batch && (entry.flags & kEntryFromFile)) {
      pieces.clear();
      bytes.pieces(at + sizeof entry + kBatchPrefixBytes, entry.body_bytes - kBatchPrefixBytes, pieces);
      uint32_t crc = 0;
      for (ByteSpan p : pieces) crc = crc32c(p, crc);
      store_be<uint32_t>(header + sizeof entry + kBatchPrefixBytes - 4, crc);
      bytes.put(at + sizeof entry + kBatchPrefixBytes - 4, {header + sizeof entry + kBatchPrefixBytes - 4, 4});
    }
    entry.crc = entry_crc(entry, {header + sizeof entry, covered_body_bytes(entry.type, entry.body_bytes)});
    bytes.put(at, {reinterpret_cast<const std::byte*>(&entry.crc), sizeof entry.crc});
    crcs = crc32c({reinterpret_cast<const std::byte*>(&entry.crc), sizeof entry.crc}, crcs);
    last_sequence_ = entry.sequence;
    at += static_cast<uint32_t>(entry_footprint(entry.body_bytes));
  }
  MUST(at == commit.entries_end);
  CommitBody body;
  body.number = commit.number;
  {
    MutexLock l(mutex_);
    body.durable = written_durable_.v;
  }
  body.wall_ms = clock_.wall_now().count();
  body.start = commit.start;
  body.entries = commit.entries;
  body.previous = previous_checksum_;
  body.checksum = commit_checksum(crcs, body);
  previous_checksum_ = body.checksum;
  std::byte tail[kCommitEntryBytes];
  EntryHeader entry;
  entry.body_bytes = sizeof body;
  entry.segment = commit.segment->number;
  entry.type = EntryType::commit;
  entry.sequence = last_sequence_;
  store(body, tail + sizeof entry);
  entry.crc = entry_crc(entry, {tail + sizeof entry, sizeof body});
  store(entry, tail);
  bytes.put(commit.entries_end, tail);
  bytes.zero(commit.entries_end + kCommitEntryBytes, commit.end - commit.entries_end - kCommitEntryBytes);
}

/// What those who wait for a commit are told.
struct Log::News {
  Commit commit;
  std::deque<Commit> lost;
  Error failure;
  bool room = false;
};

void Log::done(Result<void> result) {
  auto news = std::make_unique<News>();
  Commit& commit = news->commit;
  const bool goes_on = result || planted(PlantedBug::go_on_after_failed_sync);
  if (goes_on && !result) news->failure = {Errc::kReadOnly, 0, "planted"};
  {
    MutexLock l(mutex_);
    commit = std::move(in_flight_);
    busy_ = false;
    free_since_ = clock_.now();
    last_took_ = free_since_ - write_began_;
    if (goes_on) {
      counters_.commits++;
      counters_.sync_ns += static_cast<uint64_t>(last_took_.count());
      if (commit.entries == 0) counters_.closing_commits++;
      durable_ = LogPosition::at(commit.segment->number, commit.end);
      last_released_ = commit.waiters.size();
      last_was_empty_ = commit.entries == 0;
    } else {
      poisoned_ = true;
      news->failure = poison_ = {Errc::kReadOnly, result.error().sys_errno,
                                 "the log takes no more since a write to it failed; mend the disk, then restart topicfs (" +
                                     result.error().what + ")"};
      news->lost.swap(closed_);
      if (has_open_) news->lost.push_back(std::move(open_)), has_open_ = false;
    }
    news->room = std::exchange(starved_, false);
    if (!stopping_) maybe_start();
    arm_idle_close();
    idle_.notify_all();
  }
  device_.tell([this, goes_on, news = std::move(news)] { tell(*news, goes_on); });
}

void Log::tell(News& news, bool goes_on) {
  Commit& commit = news.commit;
  if (news.failure.what.empty()) {
    client_.on_durable(commit.ends, LogPosition::at(commit.segment->number, commit.end), commit.payload_bytes);
    answer(commit, {});
  } else {
    LOG_ERROR("{}", news.failure.message());
    if (!goes_on) client_.on_poisoned(news.failure);
    answer(commit, tl::unexpected<Error>(news.failure));
    for (Commit& c : news.lost) answer(c, tl::unexpected<Error>(news.failure));
  }
  if (news.room) client_.on_room();
  MutexLock l(mutex_);
  commit.waiters.clear();
  commit.ends.clear();
  commit.entries = commit.fills = 0;
  if (spare_.size() < 4) spare_.push_back(std::move(commit));
}

void Log::answer(Commit& commit, const Result<void>& result) {
  for (Waiter& w : commit.waiters) {
    if (result) w.done(std::move(w.value));
    else w.done(tl::unexpected<Error>(result.error()));
  }
}

/// A commit proves that the one before it was durable. When the log goes quiet, an empty one proves it of the last.
void Log::arm_idle_close() {
  if (idle_timer_ || last_was_empty_ || poisoned_ || stopping_) return;
  idle_timer_ = executor_.at(clock_.now() + kIdleClose, [this] {
    MutexLock l(mutex_);
    idle_timer_ = 0;
    if (stopping_ || poisoned_ || last_was_empty_) return;
    if (!all_durable() || clock_.now() - last_activity_ < kIdleClose) return arm_idle_close();
    if (make_room(0, Reserve::use) != Room::yes) return;
    open_commit();
    close_open();
    maybe_start();
  });
}

void Log::stop() {
  std::deque<Commit> lost;
  {
    MutexLock l(mutex_);
    stopping_ = true;
    while (busy_) idle_.wait(mutex_);
    for (TimerId* t : {&timer_, &idle_timer_})
      if (*t) executor_.cancel(std::exchange(*t, 0));
    lost.swap(closed_);
    if (has_open_) lost.push_back(std::move(open_)), has_open_ = false;
  }
  for (Commit& c : lost) answer(c, fail(Errc::kClosed, "the log is closing"));
}

}  // namespace topicfs::wal
