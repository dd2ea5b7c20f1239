#include "engine/collector.h"

#include <algorithm>

#include "base/log.h"
#include "base/planted_bug.h"
#include "metadata/store_keys.h"

namespace topicfs {
namespace {

/// A crash between a PUT and its record leaves one object that nobody knows; the next daemon writes none before it has
/// announced itself with a checkpoint. More than that is someone else at work, unless it is of an epoch of our own, when
/// a failed log left what was rescued from it.
constexpr size_t kUnknownThatCrashesLeave = 1;
constexpr uint64_t kMaxClaimBytes = 16;  // nothing is in a claim

}  // namespace

void Collector::start(std::vector<uint64_t> own_epochs) {
  MutexLock l(mutex_);
  own_epochs_ = std::move(own_epochs);
  started_ = true;
  newest_ = parts_.objects.newest_found();
  if (has_work()) arm(kCollectDelay);
}

void Collector::on_dead() {
  MutexLock l(mutex_);
  if (has_work()) arm(kCollectDelay);
}

void Collector::on_announced() { on_dead(); }

void Collector::stop() {
  MutexLock l(mutex_);
  stopped_ = true;
  doomed_.clear();
  if (timer_) parts_.executor.cancel(std::exchange(timer_, 0));
}

bool Collector::has_work() {
  if (lost_) return false;
  return parts_.objects.worth_collecting() || (!swept_ && parts_.checkpoints.announced());
}

void Collector::arm(MonotonicTime wait) {
  if (!started_ || stopped_ || busy_ || timer_) return;
  timer_ = parts_.executor.at(parts_.clock.now() + wait, [this] { step(); });
}

void Collector::step() {
  {
    MutexLock l(mutex_);
    timer_ = 0;
    if (stopped_ || busy_) return;
    busy_ = true;
    outcome_ = {};
  }
  if (parts_.objects.dead_count() == 0) return check_epochs({});
  if (planted(PlantedBug::delete_before_upload)) return check_epochs(parts_.objects.dead());
  parts_.checkpoints.save(Upload::yes, [this](Result<SavedCheckpoint> saved) {
    if (saved) check_epochs(std::move(saved->dead));
    else end(tl::unexpected<Error>(std::move(saved).error()));
  });
}

/// The bucket's newest checkpoint does not name `dead`, and no later one of ours will. A daemon that has not claimed the
/// bucket by now will read that checkpoint; one that has may have read an older. The first of them has claimed the next
/// epoch: that key is asked for, because a listing may lag.
void Collector::check_epochs(std::vector<uint32_t> dead) {
  parts_.store.get_tail(epoch_key(epoch_ + 1), kMaxClaimBytes, [this, dead = std::move(dead)](Result<ObjectBytes> later) {
    if (!later && later.error().code == Errc::kNotFound) return doom_dead(dead);
    if (!later) return end(tl::unexpected<Error>(std::move(later).error()));
    LOG_ERROR("{} has been claimed by a later daemon ({}): this one deletes nothing there any more", parts_.store.url(),
              epoch_key(epoch_ + 1));
    {
      MutexLock l(mutex_);
      lost_ = true;
    }
    end({});
  });
}

void Collector::doom_dead(const std::vector<uint32_t>& dead) {
  bool swept;
  {
    MutexLock l(mutex_);
    for (uint32_t index : dead)
      if (auto object = parts_.objects.find(index)) doomed_.push_back({object->key, object->size_bytes, true, index});
    swept = swept_;
  }
  if (swept) remove_doomed();
  else look_for_orphans(kObjectPrefix);
}

void Collector::look_for_orphans(std::string prefix) {
  parts_.store.list(prefix, "", [this, prefix](Result<std::vector<ListedObject>> listed) {
    if (listed) on_listed(prefix, *listed);
    else on_not_listed(std::move(listed).error());
  });
}

/// What is dead goes all the same. A store with too many objects for a listing keeps its orphans.
void Collector::on_not_listed(Error error) {
  {
    MutexLock l(mutex_);
    if (error.code == Errc::kTooLarge) {
      LOG_WARNING("objects that crashes left in {} are not looked for: {}", parts_.store.url(), error.message());
      swept_ = true;
    } else {
      outcome_ = tl::unexpected<Error>(std::move(error));
    }
  }
  remove_doomed();
}

void Collector::on_listed(const std::string& prefix, const std::vector<ListedObject>& listed) {
  const char* next = nullptr;
  {
    MutexLock l(mutex_);
    if (prefix == kObjectPrefix) {
      doom_objects(listed);
      next = kCheckpointPrefix;
    } else {
      doom_older(listed, kKeptCheckpoints, checkpoint_key(epoch_, 0, 0));
      swept_ = true;
    }
  }
  if (next) look_for_orphans(next);
  else remove_doomed();
}

/// Objects of earlier epochs that the catalog, which has seen all of these epochs' records, does not know.
void Collector::doom_objects(const std::vector<ListedObject>& listed) {
  std::vector<Doomed> orphans;
  size_t beyond = 0;
  for (const ListedObject& o : listed) {
    auto name = parse_key(o.key, kObjectPrefix);
    if (!name || name->epoch >= epoch_ || parts_.objects.contains(o.key) || planted(PlantedBug::leave_orphans)) continue;
    bool ours = std::find(own_epochs_.begin(), own_epochs_.end(), name->epoch) != own_epochs_.end();
    if (*name > newest_ && !ours) beyond++;
    orphans.push_back({o.key, o.size, true, std::nullopt});
  }
  if (beyond > kUnknownThatCrashesLeave) {
    LOG_ERROR("{} holds {} objects of earlier epochs that this daemon has never heard of: does another one write there? "
              "None of them is deleted", parts_.store.url(), beyond);
    return;
  }
  doomed_.insert(doomed_.end(), orphans.begin(), orphans.end());
}

/// Of those listed, all but the last `keep`, and none from `below` on.
void Collector::doom_older(const std::vector<ListedObject>& listed, size_t keep, const std::string& below) {
  for (size_t i = 0; i + keep < listed.size() && listed[i].key < below; i++)
    doomed_.push_back({listed[i].key, listed[i].size, false, std::nullopt});
}

void Collector::remove_doomed() {
  {
    MutexLock l(mutex_);
    removing_ = 1;
  }
  send_removals();
  let_go();
}

void Collector::send_removals() {
  for (;;) {
    Doomed next;
    {
      MutexLock l(mutex_);
      if (stopped_ || doomed_.empty() || removing_ > kDeletesAtOnce) return;
      next = std::move(doomed_.front());
      doomed_.pop_front();
      removing_++;
    }
    std::string key = next.key;
    parts_.store.remove(std::move(key), [this, next](Result<void> removed) { on_removed(next, removed); });
  }
}

void Collector::on_removed(const Doomed& doomed, const Result<void>& removed) {
  if (removed && doomed.index) parts_.objects.forget(*doomed.index);
  {
    MutexLock l(mutex_);
    if (removed && doomed.is_object) {
      counters_.deleted++;
      counters_.deleted_bytes += doomed.bytes;
      if (!doomed.index) counters_.orphans++;
    } else if (!removed) {
      outcome_ = removed;
      doomed_.clear();  // the store has trouble: what is left is found again
      swept_ = false;
    }
  }
  send_removals();
  let_go();
}

/// Whoever is last ends the round.
void Collector::let_go() {
  Result<void> outcome;
  {
    MutexLock l(mutex_);
    if (--removing_ > 0) return;
    outcome = outcome_;
  }
  end(outcome);
}

/// What failed is tried again, later each time, with jitter, up to kLastCollectRetry.
void Collector::end(const Result<void>& result) {
  MutexLock l(mutex_);
  busy_ = false;
  if (result) {
    failures_in_a_row_ = 0;
    counters_.last_error.clear();
    if (has_work()) arm(kCollectDelay);
    return;
  }
  counters_.failures++;
  counters_.last_error = result.error().message();
  int doublings = std::min(failures_in_a_row_++, 16);
  MonotonicTime wait = std::min<MonotonicTime>(kLastCollectRetry, kFirstCollectRetry * (1 << doublings));
  wait = wait / 2 + wait / 2 * static_cast<int64_t>(parts_.random.next() % 1024) / 1024;
  if (failures_in_a_row_ == 1 && !stopped_)
    LOG_WARNING("deleting what nobody needs from {} failed and will be tried again: {}", parts_.store.url(),
                result.error().message());
  arm(wait);
}

CollectorCounters Collector::counters() const {
  MutexLock l(mutex_);
  return counters_;
}

}  // namespace topicfs
