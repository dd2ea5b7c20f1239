#include "engine/partition.h"

#include <algorithm>

#include "base/atomics.h"
#include "base/check.h"

namespace topicfs {

void Partition::push(const BatchRef& ref, WallMilliseconds now) {
  MutexLock l(mutex_);
  if (abandoned_) return;
  index_.push_back(ref);
  ends_.retained_bytes += share(ref.base, ref.end(), ref.bytes);  // at recovery it may be deleted already
  ends_.modified = std::max(ends_.modified, now);
  advance();
}

void Partition::grow(uint32_t bytes, uint32_t records, int64_t text_bytes, int64_t max_timestamp,
                     WallMilliseconds now) {
  MutexLock l(mutex_);
  if (abandoned_) return;
  BatchRef& ref = index_.back();
  ref.bytes += bytes;
  ref.records += records;
  ref.text_bytes += text_bytes;
  ref.max_timestamp = std::max(ref.max_timestamp, max_timestamp);
  ends_.retained_bytes += bytes;
  ends_.modified = std::max(ends_.modified, now);
  if (visible_ == index_.size()) ends_.visible_end = ref.end(), ends_.text_end = ref.text_end();
}

void Partition::note_epoch(int32_t epoch, Offset start) {
  if (epoch <= newest_epoch) return;
  newest_epoch = epoch;
  MutexLock l(mutex_);
  epochs_.push_back({epoch, start});
  if (epochs_.size() > kMaxLeaderEpochs) epochs_.erase(epochs_.begin());
}

std::vector<EpochStart> Partition::epochs() {
  MutexLock l(mutex_);
  return epochs_;
}

void Partition::advance() {
  while (visible_ < index_.size() && index_[visible_].filled) {
    ends_.visible_end = index_[visible_].end();
    ends_.text_end = index_[visible_].text_end();
    visible_++;
  }
}

void Partition::mark_filled(Offset base, std::vector<VisibleWaiter>& ready) {
  MutexLock l(mutex_);
  for (size_t i = index_.size(); i-- > 0;) {
    if (index_[i].base != base) continue;
    index_[i].filled = true;
    break;
  }
  advance();
  for (size_t i = 0; i < waiters_.size();) {
    if (waiters_[i].end > ends_.visible_end) {
      i++;
      continue;
    }
    ready.push_back(std::move(waiters_[i]));
    waiters_.erase(waiters_.begin() + static_cast<ptrdiff_t>(i));
  }
}

bool Partition::visible_or_wait(VisibleWaiter& waiter) {
  MutexLock l(mutex_);
  if (waiter.end <= ends_.visible_end || abandoned_) return true;
  waiters_.push_back(std::move(waiter));
  return false;
}

PartitionEnds Partition::ends() {
  MutexLock l(mutex_);
  PartitionEnds e = ends_;
  e.durable_end = durable_end();
  return e;
}

void Partition::set_durable_end(Offset end) {
  raise_to(durable_end_, end.v, std::memory_order_release);  // two commits may be announced by two threads
}

void Partition::set_modified(WallMilliseconds time) {
  MutexLock l(mutex_);
  ends_.modified = time;
}

Partition::Cover Partition::cover(Offset from, Offset limit, size_t max_bytes) {
  MutexLock l(mutex_);
  Cover found;
  auto it = std::upper_bound(index_.begin(), index_.begin() + static_cast<ptrdiff_t>(visible_), from,
                             [](Offset o, const BatchRef& r) { return o < r.end(); });
  bool in_index = visible_ > 0 && index_.front().base <= from;
  if (in_index) {
    size_t bytes = 0;
    for (; it != index_.begin() + static_cast<ptrdiff_t>(visible_) && it->base < limit; ++it) {
      if (!found.refs.empty() && bytes + it->bytes > max_bytes) break;
      bytes += it->bytes;
      found.refs.push_back(*it);
    }
    return found;
  }
  auto extent = std::upper_bound(extents_.begin(), extents_.end(), from,
                                 [](Offset o, const Extent& e) { return o < e.end; });
  if (extent != extents_.end()) found.extent = *extent;
  return found;
}

Partition::Cover Partition::cover(TextPosition from, size_t max_bytes) {
  MutexLock l(mutex_);
  Cover found;
  auto end = index_.begin() + static_cast<ptrdiff_t>(visible_);
  if (visible_ > 0 && index_.front().text <= from) {
    auto it = std::upper_bound(index_.begin(), end, from,
                               [](TextPosition p, const BatchRef& r) { return p < r.text_end(); });
    int64_t wanted_end = from.v + static_cast<int64_t>(max_bytes);
    for (; it != end && it->text.v < wanted_end; ++it) found.refs.push_back(*it);
    return found;
  }
  auto extent = std::upper_bound(extents_.begin(), extents_.end(), from,
                                 [](TextPosition p, const Extent& e) { return p < e.text_end; });
  if (extent != extents_.end()) found.extent = *extent;
  return found;
}

Partition::Cover Partition::cover_timestamp(int64_t timestamp, Offset limit) {
  MutexLock l(mutex_);
  Cover found;
  Offset index_start = index_.empty() ? limit : index_.front().base;
  for (const Extent& e : extents_) {
    if (e.max_timestamp < timestamp || e.end <= ends_.log_start || e.base >= index_start) continue;
    found.extent = e;
    return found;
  }
  for (const BatchRef& r : index_) {
    if (r.base >= limit) break;
    if (r.max_timestamp < timestamp || r.end() <= ends_.log_start) continue;
    found.refs.push_back(r);
    break;
  }
  return found;
}

Partition::Latest Partition::latest_timestamp(Offset limit) {
  MutexLock l(mutex_);
  Latest latest;
  auto look_at = [&](Offset base, Offset end, int64_t timestamp) REQUIRES(mutex_) {
    if (end <= ends_.log_start) return;
    if (base >= ends_.log_start) latest.whole = std::max(latest.whole, timestamp);
    else latest.cut = std::max(latest.cut, timestamp), latest.cut_end = std::max(latest.cut_end, end);
  };
  for (const Extent& e : extents_) look_at(e.base, e.end, e.max_timestamp);
  for (const BatchRef& r : index_)
    if (r.base < limit) look_at(r.base, r.end(), r.max_timestamp);
  return latest;
}

std::vector<BatchRef> Partition::batches_between(wal::LogPosition from, wal::LogPosition to) {
  MutexLock l(mutex_);
  auto below = [](const BatchRef& r, wal::LogPosition p) { return r.at < p; };
  auto first = std::lower_bound(index_.begin(), index_.end(), from, below);
  auto last = std::lower_bound(first, index_.end(), to, below);
  return {first, last};
}

std::vector<BatchRef> Partition::living_between(wal::LogPosition from, wal::LogPosition to, Offset known) {
  std::vector<BatchRef> refs = batches_between(from, to);
  MutexLock l(mutex_);
  if (trim_recorded_ < known) std::erase_if(refs, [this](const BatchRef& r) REQUIRES(mutex_) { return r.end() <= ends_.log_start; });
  return refs;
}

std::optional<Extent> Partition::add_offloaded(std::span<const BatchRef> run, uint32_t object) {
  MutexLock l(mutex_);
  offloaded_ = run.back().end();
  offloaded_text_ = run.back().text_end();
  auto live = std::find_if(run.begin(), run.end(), [this](const BatchRef& r) REQUIRES(mutex_) { return r.end() > ends_.log_start; });
  if (live == run.end()) return std::nullopt;
  Extent e{live->base, offloaded_, live->text, offloaded_text_, -1, 0, object};
  for (; live != run.end(); ++live) e.max_timestamp = std::max(e.max_timestamp, live->max_timestamp), e.bytes += live->bytes;
  append_extent(e);
  if (e.base < ends_.log_start) count_retained();  // its share is one of the whole extent now
  return e;
}

void Partition::append_extent(const Extent& extent) {
  MUST(extents_.empty() || extents_.back().end <= extent.base);
  extents_.push_back(extent);
}

// ---- the log start

Partition::Spot Partition::spot(Offset offset) {
  MutexLock l(mutex_);
  auto ref = std::upper_bound(index_.begin(), index_.end(), offset, [](Offset o, const BatchRef& r) { return o < r.end(); });
  if (ref != index_.end() && ref->base == offset) return {ref->text, {}, {}};
  if (ref != index_.end() && ref->base < offset) return {{}, *ref, {}};
  if (ref == index_.end() && !index_.empty()) return {index_.back().text_end(), {}, {}};
  auto extent = std::upper_bound(extents_.begin(), extents_.end(), offset, [](Offset o, const Extent& e) { return o < e.end; });
  if (extent == extents_.end()) return {index_.empty() ? offloaded_text_ : ref->text, {}, {}};
  if (extent->base >= offset) return {extent->text, {}, {}};
  return {{}, {}, *extent};
}

std::vector<Extent> Partition::trim(Offset start, TextPosition text, Offset recorded) {
  MutexLock l(mutex_);
  if (start <= ends_.log_start) return {};
  ends_.log_start = start;
  ends_.text_start = std::max(ends_.text_start, text);
  trim_recorded_ = recorded;
  auto live = std::find_if(extents_.begin(), extents_.end(), [&](const Extent& e) { return e.end > start; });
  std::vector<Extent> dead(extents_.begin(), live);
  extents_.erase(extents_.begin(), live);
  count_retained();
  return dead;
}

/// How many of the bytes stored for [base, end) lie behind the log start, if all its records were of one size.
int64_t Partition::share(Offset base, Offset end, int64_t bytes) const {
  Offset start = ends_.log_start;
  if (start <= base) return bytes;
  if (start >= end) return 0;
  return static_cast<int64_t>(static_cast<double>(bytes) * static_cast<double>(end - start) / static_cast<double>(end - base));
}

void Partition::count_retained() {
  ends_.retained_bytes = 0;
  for (const Extent& e : extents_) ends_.retained_bytes += share(e.base, e.end, e.bytes);
  for (auto r = index_.rbegin(); r != index_.rend() && r->base >= offloaded_ && r->end() > ends_.log_start; ++r)
    ends_.retained_bytes += share(r->base, r->end(), r->bytes);
}

void Partition::drop_index_below(uint32_t segment) {
  MutexLock l(mutex_);
  while (!index_.empty() && index_.front().at.segment() < segment) {
    MUST(visible_ > 0);
    index_.pop_front();
    visible_--;
  }
}

std::vector<Extent> Partition::extents() {
  MutexLock l(mutex_);
  return extents_;
}

size_t Partition::index_size() {
  MutexLock l(mutex_);
  return index_.size();
}

void Partition::restore(SavedPartition state) {
  next_offset = state.end;
  next_text = state.text_end;
  MutexLock l(mutex_);
  ends_.log_start = state.log_start;
  ends_.visible_end = state.end;
  ends_.text_start = state.text_start;
  ends_.text_end = state.text_end;
  ends_.modified = state.modified;
  extents_ = std::move(state.extents);
  offloaded_ = state.end;
  offloaded_text_ = state.text_end;
  count_retained();
  epochs_ = std::move(state.epochs);
  if (!epochs_.empty()) newest_epoch = epochs_.back().epoch;
  durable_end_.store(state.end.v, std::memory_order_release);
}

SavedPartition Partition::saved() {
  MutexLock l(mutex_);
  SavedPartition saved{ends_.log_start, offloaded_, ends_.text_start, offloaded_text_, ends_.modified, extents_, {}};
  for (const EpochStart& e : epochs_)
    if (e.start < offloaded_) saved.epochs.push_back(e);
  return saved;
}

Partition::Expired Partition::expired(WallMilliseconds now) {
  RetentionLimits most = retention();
  Expired found;
  MutexLock l(mutex_);
  int64_t left = ends_.retained_bytes;
  // Whether the unit has outlived a limit; the first that has not ends the search.
  auto goes = [&](const auto& unit) REQUIRES(mutex_) {
    if (unit.end <= ends_.log_start) return true;
    if (unit.end > durable_end()) return false;
    int64_t size = share(unit.base, unit.end, unit.bytes);
    // Records without a timestamp are as young as the partition's newest append.
    int64_t newest = unit.max_timestamp >= 0 ? unit.max_timestamp : ends_.modified.count();
    bool too_old = most.milliseconds >= 0 && now.count() - newest > most.milliseconds;
    bool too_many = most.bytes >= 0 && left - size >= most.bytes;
    if (too_old || too_many) {
      left -= size;
      found.start = {unit.end, unit.text_end};
    } else if (most.milliseconds >= 0 && newest < INT64_MAX - most.milliseconds) {
      found.next = WallMilliseconds(newest + most.milliseconds + 1);
    }
    return too_old || too_many;
  };
  for (const Extent& e : extents_)
    if (!goes(e)) return found;
  auto in_log = std::lower_bound(index_.begin(), index_.end(), offloaded_, [](const BatchRef& r, Offset o) { return r.base < o; });
  for (; in_log != index_.end(); ++in_log) {
    Extent batch{in_log->base, in_log->end(), in_log->text, in_log->text_end(), in_log->max_timestamp, in_log->bytes, 0};
    if (!goes(batch)) break;
  }
  return found;
}

Partition::Leftovers Partition::abandon() {
  MutexLock l(mutex_);
  abandoned_ = true;
  std::deque<BatchRef>().swap(index_);
  visible_ = 0;
  return {std::exchange(extents_, {}), std::exchange(waiters_, {})};
}

bool Partition::continues(const Extent& extent) {
  MutexLock l(mutex_);
  if (extent.base == next_offset && extent.text == next_text) return true;
  return extent.base > next_offset && extent.text >= next_text && extent.base <= ends_.log_start &&
         extent.text <= ends_.text_start;
}

bool Partition::adopt(const Extent& extent, WallMilliseconds when) {
  next_offset = extent.end;
  next_text = extent.text_end;
  MutexLock l(mutex_);
  offloaded_ = extent.end;
  offloaded_text_ = extent.text_end;
  ends_.visible_end = extent.end;
  ends_.text_end = extent.text_end;
  ends_.modified = std::max(ends_.modified, when);
  durable_end_.store(extent.end.v, std::memory_order_release);
  if (extent.end <= ends_.log_start) return false;
  append_extent(extent);
  count_retained();
  return true;
}

void Partition::reach_log_start() {
  MutexLock l(mutex_);
  if (next_offset >= ends_.log_start) return;
  next_offset = ends_.visible_end = ends_.log_start;
  next_text = ends_.text_start = ends_.text_end = std::max(ends_.text_start, next_text);
  // What the log still has comes again at the next start, which must not find it behind what was offloaded.
  if (index_.empty()) offloaded_ = next_offset, offloaded_text_ = next_text;
  durable_end_.store(next_offset.v, std::memory_order_release);
}

void Partition::replay(const BatchRef& ref, WallMilliseconds when) {
  next_offset = ref.end();
  next_text = ref.text_end();
  push(ref, when);
  durable_end_.store(ref.end().v, std::memory_order_release);
}

}  // namespace topicfs
