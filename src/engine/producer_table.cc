#include "engine/producer_table.h"

#include <limits>

#include "base/check.h"

namespace topicfs {
namespace {

constexpr int32_t kLastSequence = std::numeric_limits<int32_t>::max();
constexpr int16_t kNoEpoch = -1;

int32_t sequence_after(int32_t sequence) { return sequence == kLastSequence ? 0 : sequence + 1; }

}  // namespace

int32_t last_sequence(int32_t first, uint32_t records) {
  MUST(first >= 0 && records > 0);
  return static_cast<int32_t>((static_cast<uint32_t>(first) + records - 1) & 0x7fffffffu);
}

// ---- one producer

using Remembered = ProducerTable::Remembered;

const Remembered* ProducerTable::Producer::find(int32_t first, int32_t last) const {
  for (size_t i = 0; i < count; i++)
    if (batches[i].batch.first_sequence == first && batches[i].batch.last_sequence == last) return &batches[i];
  return nullptr;
}

const Remembered& ProducerTable::Producer::from_oldest(size_t i) const {
  size_t oldest = count < kRememberedBatches ? 0 : newest + 1u;
  return batches[(oldest + i) % kRememberedBatches];
}

void ProducerTable::Producer::begin_epoch(int16_t number) {
  epoch = number;
  count = 0;
  next_sequence = 0;
}

void ProducerTable::Producer::push(const Remembered& one) {
  newest = count == 0 ? 0 : static_cast<uint8_t>((newest + 1) % kRememberedBatches);
  batches[newest] = one;
  if (count < kRememberedBatches) count++;
  next_sequence = sequence_after(one.batch.last_sequence);
}

void ProducerTable::Producer::link_before(Producer& other) {
  next = &other;
  previous = other.previous;
  previous->next = other.previous = this;
}

void ProducerTable::Producer::unlink() {
  previous->next = next;
  next->previous = previous;
}

// ---- all of them

size_t ProducerTable::KeyHash::operator()(const Key& key) const noexcept {
  // Ids are numbered on; a multiplication spreads them (Knuth's multiplicative hashing).
  uint64_t mixed = (static_cast<uint64_t>(key.id) ^ (uint64_t{key.partition.v} << 32)) * 0x9e3779b97f4a7c15u;
  return static_cast<size_t>(mixed ^ (mixed >> 32));
}

ProducerTable::Producer* ProducerTable::find(PartitionId partition, int64_t id) const {
  auto found = producers_.find({partition, id});
  return found == producers_.end() ? nullptr : const_cast<Producer*>(&found->second);
}

ProducerTable::Judgement ProducerTable::judge(const Producer* known, const ProducerMark& mark, uint32_t records) {
  if (!known) return {Verdict::append};
  bool same_epoch = mark.epoch == known->epoch;
  if (same_epoch)
    if (auto* original = known->find(mark.first_sequence, last_sequence(mark.first_sequence, records)))
      return {Verdict::repeated, original};
  if (mark.epoch < known->epoch) return {Verdict::stale_epoch};
  if (known->epoch == kNoEpoch) return {Verdict::append};  // no epoch, no order: as Kafka has it
  int32_t expected = same_epoch ? known->next_sequence : 0;
  return {mark.first_sequence == expected ? Verdict::append : Verdict::out_of_order};
}

void ProducerTable::remember(Producer* known, PartitionId partition, const ProducerMark& mark, uint32_t records,
                             Offset offset, int64_t timestamp, uint64_t commit, MonotonicTime now) {
  Producer& producer = known ? *known : make(partition, mark.id);
  if (producer.epoch != mark.epoch) producer.begin_epoch(mark.epoch);
  producer.push(
      {{mark.first_sequence, last_sequence(mark.first_sequence, records), offset, timestamp}, commit});
  use(producer, now);
}

void ProducerTable::expect(PartitionId partition, const ProducerMark& mark, MonotonicTime now) {
  if (find(partition, mark.id)) return;
  Producer& producer = make(partition, mark.id);
  producer.begin_epoch(mark.epoch);
  producer.next_sequence = mark.first_sequence;
  use(producer, now);
}

size_t ProducerTable::expire(MonotonicTime limit, size_t most) {
  size_t forgotten = 0;
  for (; forgotten < most && !producers_.empty() && ring_.next->last_used <= limit; forgotten++) forget_oldest();
  return forgotten;
}

std::optional<MonotonicTime> ProducerTable::oldest_use() const {
  if (producers_.empty()) return std::nullopt;
  return ring_.next->last_used;
}

std::vector<ProducerState> ProducerTable::save(MonotonicTime now, WallMilliseconds wall_now) const {
  std::vector<ProducerState> all;
  all.reserve(producers_.size());
  for (const Producer* p = ring_.next; p != &ring_; p = p->next) {
    if (p->count == 0) continue;  // only expected
    auto idle = std::chrono::duration_cast<WallMilliseconds>(now - p->last_used);
    ProducerState& state = all.emplace_back(ProducerState{p->partition, p->id, p->epoch, wall_now - idle, {}});
    for (size_t i = 0; i < p->count; i++) state.batches.push_back(p->from_oldest(i).batch);
  }
  return all;
}

void ProducerTable::restore(const ProducerState& state, MonotonicTime now, WallMilliseconds wall_now) {
  Producer* known = find(state.partition, state.id);
  Producer& producer = known ? *known : make(state.partition, state.id);
  producer.begin_epoch(state.epoch);
  for (const ProducerBatch& batch : state.batches) producer.push({batch, 0});
  auto idle = std::max(WallMilliseconds(0), wall_now - state.last_used);  // the wall's clock may have been set back
  use(producer, now - idle);
}

ProducerTable::Producer& ProducerTable::make(PartitionId partition, int64_t id) {
  while (producers_.size() >= max_producers_) forget_oldest(), evicted_++;
  Producer& producer = producers_[{partition, id}];
  producer.partition = partition, producer.id = id;
  producer.link_before(ring_);
  return producer;
}

void ProducerTable::use(Producer& producer, MonotonicTime now) {
  producer.last_used = now;
  if (ring_.previous == &producer) return;
  producer.unlink();
  producer.link_before(ring_);
}

void ProducerTable::forget_oldest() {
  Producer* oldest = ring_.next;
  oldest->unlink();
  producers_.erase(Key{oldest->partition, oldest->id});
}

}  // namespace topicfs
