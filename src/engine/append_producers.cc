// AppendPath, as far as it is about idempotent producers: may this batch be appended, what if it was already, and
// how long a producer that says nothing is remembered. All of it under the log's lock.
#include <algorithm>
#include <set>

#include "base/planted_bug.h"
#include "engine/append.h"

namespace topicfs {
namespace {

// Expiry is looked at as often at most, and takes as many at a time, so that it holds the lock for microseconds.
constexpr MonotonicTime kExpiryPause = std::chrono::minutes(1);
constexpr size_t kExpiryStep = 1000;

std::string describe(const ProducerMark& mark) {
  return "producer " + std::to_string(mark.id) + ", epoch " + std::to_string(mark.epoch) + ", sequence " +
         std::to_string(mark.first_sequence);
}

}  // namespace

/// `placed`: go on and place it. A duplicate is answered as its original was, when the original is durable; if that
/// was lost with a failed sync, so is the duplicate.
AppendPath::Outcome AppendPath::judge_producer(Append& append, ProducerTable::Producer* known) {
  auto [verdict, original] =
      ProducerTable::judge(known, append.producer, static_cast<uint32_t>(append.checked.record_count));
  switch (verdict) {
    case ProducerTable::Verdict::append: return Outcome::placed;
    case ProducerTable::Verdict::out_of_order:
      producer_counters_.refused++;
      append.error = {Errc::kOutOfOrder, 0,
                      describe(append.producer) + ": expected epoch " + std::to_string(known->epoch) + ", sequence " +
                          std::to_string(known->next_sequence)};
      return Outcome::failed;
    case ProducerTable::Verdict::stale_epoch:
      producer_counters_.refused++;
      append.error = {Errc::kStaleEpoch, 0,
                      describe(append.producer) + ": it has come back under epoch " + std::to_string(known->epoch)};
      return Outcome::failed;
    case ProducerTable::Verdict::repeated: break;
  }
  producer_counters_.repeated++;
  append.value.base_offset = original->batch.offset;
  append.value.log_append_time = WallMilliseconds(original->batch.timestamp);
  append.value.log_start = append.partition->ends().log_start;
  append.value.text_end = append.partition->next_text;
  if (planted(PlantedBug::answer_duplicate_early)) return Outcome::repeated;
  if (append.options.ack == Ack::durable && log_.wait_commit(original->commit, append.done, append.value)) log_.kick();
  return Outcome::repeated;
}

/// The append finds no room. Until it is there, or is sent again, no later batch of its producer may be taken: not
/// from one that the table knows, which its sequence sees to, nor from one that it does not.
void AppendPath::expect_again(const Append& append) {
  if (!append.producer.is_set()) return;
  producers_.expect(append.partition->id, append.producer, clock_.now());
  arm_producer_timer();
}

/// What waits behind a batch that was given up, of the same producer, could not be appended any more.
void AppendPath::give_up_followers(WaitingList& ended) {
  std::set<std::pair<PartitionId, int64_t>> producers;
  for (const auto& w : ended)
    if (w->append.producer.is_set()) producers.emplace(w->append.partition->id, w->append.producer.id);
  if (producers.empty()) return;
  std::deque<std::unique_ptr<Waiting>> left;
  for (auto& w : waiting_) {
    bool follows = w->append.producer.is_set() && producers.contains({w->append.partition->id, w->append.producer.id});
    if (follows) waiting_bytes_ -= w->bytes.size();
    if (follows) ended.push_back(std::move(w));
    else left.push_back(std::move(w));
  }
  waiting_.swap(left);
}

// ---- expiry: a timer while there is anyone to forget, none otherwise

void AppendPath::arm_producer_timer() {
  if (producer_timer_ || stopped_) return;
  auto oldest = producers_.oldest_use();
  if (!oldest) return;
  MonotonicTime soonest = clock_.now() + std::min(kExpiryPause, limits_.producer_expiration);
  producer_timer_ =
      executor_.at(std::max(*oldest + limits_.producer_expiration, soonest), [this] { on_producer_timer(); });
}

void AppendPath::on_producer_timer() {
  MutexLock l(log_.mutex());
  producer_timer_ = 0;
  if (stopped_) return;
  size_t forgotten = producers_.expire(clock_.now() - limits_.producer_expiration, kExpiryStep);
  producer_counters_.expired += forgotten;
  if (forgotten == kExpiryStep) producer_timer_ = executor_.at(clock_.now(), [this] { on_producer_timer(); });
  else arm_producer_timer();
}

ProducerCounters AppendPath::producer_counters() {
  MutexLock l(log_.mutex());
  ProducerCounters c = producer_counters_;
  c.known = producers_.size();
  c.evicted = producers_.evicted();
  return c;
}

}  // namespace topicfs
