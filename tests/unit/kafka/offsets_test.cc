// OffsetCommit and OffsetFetch, over an engine in memory.
#include <doctest/doctest.h>

#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

OffsetCommitRequest commit_of(std::string group, std::string topic, int32_t partition, int64_t offset,
                              std::string metadata = "") {
  OffsetCommitRequest r;
  r.group_id = std::move(group);
  r.topics.push_back({std::move(topic), {{partition, offset, -1, std::move(metadata)}}});
  return r;
}

struct OffsetsKit : HandlerKit {
  int16_t commit(OffsetCommitRequest r, int16_t version = 7) {
    return answer<OffsetCommitResponse>(std::move(r), version).topics.at(0).partitions.at(0).error_code;
  }
  /// Of partition 0 of the topic.
  OffsetFetchResponse::Partition committed(std::string group, std::string topic, int16_t version = 5) {
    OffsetFetchRequest r;
    r.group_id = std::move(group);
    r.topics->push_back({std::move(topic), {0}});
    return answer<OffsetFetchResponse>(std::move(r), version).topics.at(0).partitions.at(0);
  }
};

}  // namespace

TEST_CASE("a consumer without a group protocol commits and finds its offsets again") {
  OffsetsKit kit;
  kit.make_topic("t", 2);
  CHECK(kit.committed("g", "t").committed_offset == -1);
  CHECK(kit.commit(commit_of("g", "t", 0, 5, "mine")) == 0);
  CHECK(kit.committed("g", "t").committed_offset == 5);
  CHECK(kit.committed("g", "t").metadata == "mine");
  CHECK(kit.committed("h", "t").committed_offset == -1);
  CHECK(kit.committed("h", "t").error_code == 0);
  CHECK(kit.committed("g", "nosuch").committed_offset == -1);
}

TEST_CASE("a commit names what it cannot keep, and keeps the rest") {
  OffsetsKit kit;
  kit.make_topic("t", 2);
  OffsetCommitRequest r = commit_of("g", "t", 0, 5);
  r.topics[0].partitions.push_back({1, 6, -1, std::string(4097, 'm')});
  r.topics[0].partitions.push_back({9, 7, -1, ""});
  r.topics.push_back({"nosuch", {{0, 8, -1, ""}}});
  auto topics = kit.answer<OffsetCommitResponse>(r, 7).topics;
  CHECK(topics[0].partitions[0].error_code == 0);
  CHECK(topics[0].partitions[1].error_code == 12);
  CHECK(topics[0].partitions[2].error_code == 3);
  CHECK(topics[1].partitions[0].error_code == 3);
  CHECK(kit.committed("g", "t").committed_offset == 5);
}

TEST_CASE("a commit of a generation that does not exist is refused") {
  OffsetsKit kit;
  kit.make_topic("t");
  OffsetCommitRequest r = commit_of("g", "t", 0, 5);
  r.generation_id = 3, r.member_id = "m";
  CHECK(kit.commit(r, 8) == 22);
  CHECK(kit.commit(r, 9) == 69);
  CHECK(kit.committed("g", "t").committed_offset == -1);
}

TEST_CASE("a commit is answered when it is durable, and an engine that is gone makes clients look again") {
  OffsetsKit kit;
  kit.make_topic("t");
  auto call = kit.start<OffsetCommitResponse>(commit_of("g", "t", 0, 5), 7);
  CHECK_FALSE(call->is_finished);
  kit.executor.run_until_idle();
  CHECK(call->is_finished);
  kit.engine.poison();
  CHECK(kit.commit(commit_of("g", "t", 0, 6)) == 16);
  CHECK(kit.committed("g", "t").committed_offset == 5);
}

TEST_CASE("OffsetFetch answers all partitions, several groups, and none") {
  OffsetsKit kit;
  kit.make_topic("a", 2);
  kit.make_topic("b");
  kit.commit(commit_of("g", "b", 0, 1));
  kit.commit(commit_of("g", "a", 1, 2));
  kit.commit(commit_of("h", "a", 0, 3));
  OffsetFetchRequest all;
  all.group_id = "g", all.topics.reset();
  auto topics = kit.answer<OffsetFetchResponse>(all, 2).topics;
  REQUIRE(topics.size() == 2);
  CHECK(topics[0].name == "a");
  CHECK(topics[0].partitions.at(0).partition_index == 1);
  all.topics.emplace();
  CHECK(kit.answer<OffsetFetchResponse>(all, 2).topics.empty());
  OffsetFetchRequest batch;
  batch.groups.push_back({"g", std::nullopt, -1, std::nullopt});
  batch.groups.push_back({"h", std::nullopt, -1, std::vector<OffsetFetchRequest::Topic>{{"a", {0, 1, 7}}}});
  auto groups = kit.answer<OffsetFetchResponse>(batch, 8).groups;
  CHECK(groups.at(0).topics.size() == 2);
  CHECK(groups.at(1).topics.at(0).partitions.at(0).committed_offset == 3);
  CHECK(groups.at(1).topics.at(0).partitions.at(2).committed_offset == -1);
}
