// What is remembered of idempotent producers, without an engine around it.
#include <doctest/doctest.h>

#include "engine/producer_table.h"

using namespace topicfs;
using Verdict = ProducerTable::Verdict;

namespace {

constexpr PartitionId kPartition{3};
constexpr int32_t kLast = 0x7fffffff;
constexpr MonotonicTime kSecond = std::chrono::seconds(1);

struct Table : ProducerTable {
  using ProducerTable::ProducerTable;
  Verdict judge(int32_t first, uint32_t records, int16_t epoch = 0, int64_t id = 7) {
    return ProducerTable::judge(find(kPartition, id), {id, first, epoch}, records).verdict;
  }
  /// Judged, and appended if that is the verdict.
  Verdict append(int32_t first, uint32_t records, int16_t epoch = 0, int64_t id = 7, MonotonicTime now = kSecond) {
    Verdict verdict = judge(first, records, epoch, id);
    if (verdict != Verdict::append) return verdict;
    remember(find(kPartition, id), kPartition, {id, first, epoch}, records, Offset(next), 1000 + next, 0, now);
    next += records;
    return verdict;
  }
  int64_t original(int32_t first, uint32_t records, int16_t epoch = 0) {
    auto judged = ProducerTable::judge(find(kPartition, 7), {7, first, epoch}, records);
    REQUIRE(judged.verdict == Verdict::repeated);
    CHECK(judged.original->batch.timestamp == 1000 + judged.original->batch.offset.v);
    return judged.original->batch.offset.v;
  }
  int64_t next = 0;
};

}  // namespace

TEST_CASE("a producer's sequence goes on without gaps; who is unknown begins anywhere") {
  Table t;
  CHECK(t.append(40, 2) == Verdict::append);
  CHECK(t.append(43, 1) == Verdict::out_of_order);
  CHECK(t.append(42, 1) == Verdict::append);
  CHECK(t.append(42, 2) == Verdict::out_of_order);  // its first sequence alone makes no duplicate
  CHECK(t.append(0, 1, 0, 8) == Verdict::append);   // another producer
  CHECK(ProducerTable::judge(t.find(PartitionId(4), 7), {7, 0, 0}, 1).verdict == Verdict::append);
}

TEST_CASE("the last five batches are known again with their offsets, an older one is out of order") {
  Table t;
  for (int32_t i = 0; i < 6; i++) REQUIRE(t.append(2 * i, 2) == Verdict::append);
  for (int32_t i = 1; i < 6; i++) CHECK(t.original(2 * i, 2) == 2 * i);
  CHECK(t.judge(0, 2) == Verdict::out_of_order);
  CHECK(t.judge(10, 1) == Verdict::out_of_order);
  CHECK(t.append(12, 1) == Verdict::append);
}

TEST_CASE("a new epoch begins with 0 and forgets the batches before, an old one is stale") {
  Table t;
  REQUIRE(t.append(0, 3, 1) == Verdict::append);
  CHECK(t.append(3, 1, 2) == Verdict::out_of_order);
  CHECK(t.append(0, 3, 2) == Verdict::append);
  CHECK(t.original(0, 3, 2) == 3);
  CHECK(t.append(3, 1, 1) == Verdict::stale_epoch);
  CHECK(t.append(0, 3, 1) == Verdict::stale_epoch);  // what was a duplicate once
  CHECK(t.append(3, 1, 2) == Verdict::append);
}

TEST_CASE("sequences wrap from 2^31-1 to 0, between batches and within one") {
  Table t;
  REQUIRE(t.append(kLast - 1, 2) == Verdict::append);
  CHECK(t.append(0, 1) == Verdict::append);
  CHECK(t.original(kLast - 1, 2) == 0);
  Table within;
  REQUIRE(within.append(kLast - 1, 4) == Verdict::append);
  CHECK(last_sequence(kLast - 1, 4) == 1);
  CHECK(within.append(2, 1) == Verdict::append);
  CHECK(within.original(kLast - 1, 4) == 0);
}

TEST_CASE("without an epoch there is no order, but duplicates are found") {
  Table t;
  REQUIRE(t.append(5, 1, -1) == Verdict::append);
  CHECK(t.append(9, 1, -1) == Verdict::append);
  CHECK(t.original(5, 1, -1) == 0);
  CHECK(t.append(3, 1, 0) == Verdict::append);
  CHECK(t.append(4, 1, -1) == Verdict::stale_epoch);
}

TEST_CASE("after its first batch was refused, an unknown producer must send that one again first") {
  Table t;
  t.expect(kPartition, {7, 0, 0}, kSecond);
  CHECK(t.append(5, 1) == Verdict::out_of_order);
  CHECK(t.append(0, 5) == Verdict::append);
  CHECK(t.append(5, 1) == Verdict::append);
  t.expect(kPartition, {7, 0, 0}, kSecond);  // it is known now: changes nothing
  CHECK(t.append(6, 1) == Verdict::append);
}

TEST_CASE("beyond the most producers, the one that was idle longest is forgotten and counted") {
  Table t(3);
  for (int64_t id = 1; id <= 3; id++) REQUIRE(t.append(0, 1, 0, id) == Verdict::append);
  REQUIRE(t.append(1, 1, 0, 1) == Verdict::append);  // used again: 2 is the oldest now
  REQUIRE(t.append(0, 1, 0, 4) == Verdict::append);
  CHECK(t.size() == 3);
  CHECK(t.evicted() == 1);
  CHECK_FALSE(t.find(kPartition, 2));
  CHECK(t.find(kPartition, 1));
}

TEST_CASE("producers expire by their last use, a bounded number at a time") {
  Table t;
  CHECK_FALSE(t.oldest_use());
  for (int64_t id = 1; id <= 10; id++) t.append(0, 1, 0, id, kSecond * id);
  t.append(1, 1, 0, 1, kSecond * 20);
  CHECK(t.oldest_use() == kSecond * 2);
  CHECK(t.expire(kSecond * 5, 3) == 3);
  CHECK(t.expire(kSecond * 5, 3) == 1);
  CHECK(t.size() == 6);
  CHECK(t.find(kPartition, 1));
}

TEST_CASE("a saved table comes back as it was, in the order of use") {
  Table t;
  for (int32_t i = 0; i < 7; i++) t.append(i, 1, 2, 7, kSecond * 10);
  t.append(0, 2, 0, 8, kSecond * 20);
  t.expect(kPartition, {9, 0, 0}, kSecond * 20);  // nothing to keep
  auto saved = t.save(kSecond * 30, WallMilliseconds(1'000'000));
  REQUIRE(saved.size() == 2);
  CHECK(saved[0].id == 7);
  CHECK(saved[0].batches.size() == kRememberedBatches);
  CHECK(saved[0].batches.front().first_sequence == 2);
  CHECK(saved[0].last_used == WallMilliseconds(980'000));
  Table again;
  for (const ProducerState& state : saved) again.restore(state, kSecond * 100, WallMilliseconds(1'000'000));
  CHECK(again.save(kSecond * 100, WallMilliseconds(1'000'000)) == saved);
  CHECK(again.original(2, 1, 2) == 2);
  CHECK(again.append(7, 1, 2) == Verdict::append);
  CHECK(again.oldest_use() == kSecond * 90);
}
