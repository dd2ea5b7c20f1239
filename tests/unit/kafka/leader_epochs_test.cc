// Leader epochs: what clients are told, and how readers hear of what was lost.
#include <doctest/doctest.h>

#include "kafka/handlers/leader_epochs.h"
#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

PartitionEnds ends_of(int64_t start, int64_t end) {
  PartitionEnds e;
  e.log_start = Offset(start), e.durable_end = e.visible_end = Offset(end);
  return e;
}

/// Ten records of epoch 0, five of epoch 2; epoch 3 has begun.
struct EpochsKit : HandlerKit {
  EpochsKit() {
    make_topic("t");
    for (int i = 0; i < 5; i++) append("t", {"a", "b"});
    engine.set_leader_epoch(2);
    append("t", {"c", "d", "e", "f", "g"});
    executor.run_until_idle();
    engine.set_leader_epoch(3);
  }
  OffsetForLeaderEpochResponse::Partition end_of(int32_t epoch, int32_t current = -1) {
    OffsetForLeaderEpochRequest r;
    r.topics.push_back({"t", {{0, current, epoch}}});
    return answer<OffsetForLeaderEpochResponse>(std::move(r), 4).topics.at(0).partitions.at(0);
  }
  FetchResponse::Partition fetch(int64_t offset, int32_t current, int32_t last) {
    FetchRequest r;
    r.topics.push_back({"t", Uuid{}, {{0, current, offset, last, -1, 1 << 20}}});
    return std::move(answer<FetchResponse>(std::move(r), 12).topics.at(0).partitions.at(0));
  }
};

}  // namespace

TEST_CASE("an epoch ends where the next one with records begins, the current one at the end that readers see") {
  std::vector<EpochStart> epochs{{1, Offset(0)}, {3, Offset(10)}, {4, Offset(25)}};
  auto end = [&](int32_t asked, int64_t start = 0) {
    EpochEnd e = end_of_epoch(epochs, 6, ends_of(start, 40), asked);
    return std::pair(e.epoch, e.end_offset);
  };
  CHECK(end(1) == std::pair<int32_t, int64_t>(1, 10));
  CHECK(end(2) == std::pair<int32_t, int64_t>(1, 10));
  CHECK(end(3) == std::pair<int32_t, int64_t>(3, 25));
  CHECK(end(5) == std::pair<int32_t, int64_t>(4, 40));
  CHECK(end(6) == std::pair<int32_t, int64_t>(6, 40));
  CHECK(end(7) == std::pair<int32_t, int64_t>(-1, -1));
  CHECK(end(-1) == std::pair<int32_t, int64_t>(-1, -1));
  CHECK(end(0) == std::pair<int32_t, int64_t>(0, 0));
  CHECK(end(1, 15) == std::pair<int32_t, int64_t>(1, 15));  // its records are deleted
  CHECK(epoch_at(epochs, 6, Offset(9)) == 1);
  CHECK(epoch_at(epochs, 6, Offset(10)) == 3);
  CHECK(epoch_at({}, 6, Offset(0)) == 6);
}

TEST_CASE("a client with an older leader epoch is fenced, one with a newer one is told that it is unknown") {
  EpochsKit kit;
  CHECK(kit.end_of(0, 2).error_code == 74);
  CHECK(kit.end_of(0, 4).error_code == 75);
  CHECK(kit.fetch(0, 2, -1).error_code == 74);
  CHECK(kit.fetch(0, 4, -1).error_code == 75);
  CHECK(kit.fetch(0, 3, -1).error_code == 0);
  ListOffsetsRequest list;
  list.topics.push_back({"t", {{0, 2, -1}}});
  CHECK(kit.answer<ListOffsetsResponse>(list, 9).topics[0].partitions[0].error_code == 74);
}

TEST_CASE("OffsetForLeaderEpoch answers for each epoch that there was") {
  EpochsKit kit;
  auto first = kit.end_of(0);
  CHECK(first.leader_epoch == 0);
  CHECK(first.end_offset == 10);
  CHECK(kit.end_of(2).end_offset == 15);
  CHECK(kit.end_of(3).leader_epoch == 3);
  CHECK(kit.end_of(3).end_offset == 15);
  CHECK(kit.end_of(4).end_offset == -1);
  OffsetForLeaderEpochRequest missing;
  missing.topics.push_back({"nosuch", {{0, -1, 0}}});
  CHECK(kit.answer<OffsetForLeaderEpochResponse>(missing, 2).topics[0].partitions[0].error_code == 3);
}

TEST_CASE("a reader whose last epoch ended before its offset hears where, others get their records") {
  EpochsKit kit;
  CHECK(kit.fetch(10, 3, 0).records->size > 0);
  CHECK(kit.fetch(10, 3, 0).diverging_epoch.epoch == -1);
  auto lost = kit.fetch(12, 3, 0);  // it has seen more of epoch 0 than is left
  CHECK(lost.error_code == 0);
  CHECK(lost.diverging_epoch.epoch == 0);
  CHECK(lost.diverging_epoch.end_offset == 10);
  CHECK(lost.records->size == 0);
  CHECK(kit.fetch(12, 3, 1).diverging_epoch.end_offset == 10);  // nothing is left of epoch 1
  CHECK(kit.fetch(12, 3, 2).records->size > 0);
  CHECK(kit.fetch(16, 3, 3).diverging_epoch.end_offset == 15);
  CHECK(kit.fetch(12, 3, 4).error_code == 1);
}

TEST_CASE("Metadata and ListOffsets tell leader epochs") {
  EpochsKit kit;
  MetadataRequest about;
  about.topics->push_back({Uuid{}, "t"});
  CHECK(kit.answer<MetadataResponse>(about, 9).topics[0].partitions[0].leader_epoch == 3);
  auto epoch = [&](int64_t timestamp) {
    ListOffsetsRequest r;
    r.topics.push_back({"t", {{0, -1, timestamp}}});
    return kit.answer<ListOffsetsResponse>(std::move(r), 9).topics.at(0).partitions.at(0).leader_epoch;
  };
  CHECK(epoch(-1) == 3);
  CHECK(epoch(-2) == 0);
  CHECK(epoch(1000) == 0);
  CHECK(epoch(5000) == -1);  // no such record
}
