// ProducerTable: what the idempotent producers of all partitions have appended last, and whether a batch may follow
// (KIP-98). Bounded: beyond its most producers, those that have been idle longest are forgotten. Takes no lock and
// reads no clock. An engine has two: one of all that was appended, guarded by the log's lock, and one of what was
// offloaded, which checkpoints keep.
#pragma once

#include <array>
#include <optional>
#include <unordered_map>
#include <vector>

#include "metadata/producer_state.h"
#include "record/batch.h"

namespace topicfs {

/// Of one engine: a producer in a partition counts as one, and takes about 300 bytes.
inline constexpr size_t kMaxProducers = 100'000;

/// What a batch says of its producer.
struct ProducerMark {
  int64_t id = kNoProducerId;
  int32_t first_sequence = -1;
  int16_t epoch = -1;

  bool is_set() const { return id > kNoProducerId; }
};
inline ProducerMark producer_of(const BatchHeader& h) {
  if (!h.has_producer_id() || h.is_control() || h.base_sequence < 0) return {};
  return {h.producer_id, h.base_sequence, h.producer_epoch};
}
/// The sequence of the last of `records` records.
int32_t last_sequence(int32_t first, uint32_t records);

class ProducerTable {
 public:
  struct Remembered {
    ProducerBatch batch;
    uint64_t commit = 0;  ///< number of the commit that makes it durable; 0: it is
  };

  /// One producer in one partition. Its members are the table's business.
  struct Producer {
    Producer *next = this, *previous = this;  // by last use
    PartitionId partition;
    int64_t id = kNoProducerId;
    MonotonicTime last_used{0};
    std::array<Remembered, kRememberedBatches> batches;  // a ring
    uint8_t count = 0, newest = 0;
    int16_t epoch = -1;
    int32_t next_sequence = 0;  // of this epoch

    const Remembered* find(int32_t first, int32_t last) const;
    const Remembered& from_oldest(size_t i) const;
    void begin_epoch(int16_t number);
    void push(const Remembered& one);
    void link_before(Producer& other);
    void unlink();
  };

  explicit ProducerTable(size_t max_producers = kMaxProducers) : max_producers_(max_producers) {}
  ProducerTable(const ProducerTable&) = delete;

  /// nullptr: unknown. Good until the next call that is not const.
  Producer* find(PartitionId partition, int64_t id) const;

  enum class Verdict {
    append,
    repeated,      ///< it is there already
    out_of_order,  ///< batches are missing before it, or it is one that is not remembered any more
    stale_epoch,   ///< the producer has come back since, with a newer epoch
  };
  struct Judgement {
    Verdict verdict;
    const Remembered* original = nullptr;  ///< of one that is repeated
  };
  /// In Kafka's order: is it a duplicate, then the epoch, then the sequence. Who is unknown may begin anywhere:
  /// its state may have been lost (KIP-360).
  static Judgement judge(const Producer* known, const ProducerMark& mark, uint32_t records);

  /// The batch was appended. `known` is what find() gave. Allocates only if that was nullptr.
  void remember(Producer* known, PartitionId partition, const ProducerMark& mark, uint32_t records, Offset offset,
                int64_t timestamp, uint64_t commit, MonotonicTime now);
  /// The first batch of an unknown producer was refused and will be sent again: none may come before it.
  void expect(PartitionId partition, const ProducerMark& mark, MonotonicTime now);

  /// Forgets those that were used last at `limit` or before, at most `most` of them. How many it was.
  size_t expire(MonotonicTime limit, size_t most);
  /// When the producer that has been idle longest was used last.
  std::optional<MonotonicTime> oldest_use() const;

  size_t size() const { return producers_.size(); }
  uint64_t evicted() const { return evicted_; }

  /// Checkpoints give times by the wall: `wall_now` and `now` are the same moment.
  std::vector<ProducerState> save(MonotonicTime now, WallMilliseconds wall_now) const;
  void restore(const ProducerState& state, MonotonicTime now, WallMilliseconds wall_now);

 private:
  struct Key {
    PartitionId partition;
    int64_t id;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept;
  };
  Producer& make(PartitionId partition, int64_t id);
  void use(Producer& producer, MonotonicTime now);
  void forget_oldest();

  const size_t max_producers_;
  std::unordered_map<Key, Producer, KeyHash> producers_;
  Producer ring_;  // of all by their last use: next is the oldest, previous the newest
  uint64_t evicted_ = 0;
};

}  // namespace topicfs
