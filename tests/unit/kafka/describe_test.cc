// DescribeTopicPartitions, DescribeLogDirs and DescribeAcls.
#include <doctest/doctest.h>

#include "unit/kafka/handler_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

struct Page {
  std::vector<std::pair<std::string, std::vector<int32_t>>> topics;
  std::optional<std::pair<std::string, int32_t>> next;
  bool operator==(const Page&) const = default;
};

Page page(HandlerKit& kit, std::vector<std::string> topics, int32_t limit,
          std::optional<PartitionCursor> cursor = std::nullopt) {
  DescribeTopicPartitionsRequest r;
  for (auto& name : topics) r.topics.push_back({name});
  r.response_partition_limit = limit;
  r.cursor = std::move(cursor);
  auto response = kit.answer<DescribeTopicPartitionsResponse>(std::move(r), 0);
  Page got;
  for (auto& topic : response.topics) {
    auto& [name, partitions] = got.topics.emplace_back(*topic.name, std::vector<int32_t>{});
    for (auto& p : topic.partitions) partitions.push_back(p.partition_index);
  }
  if (response.next_cursor) got.next = {response.next_cursor->topic_name, response.next_cursor->partition_index};
  return got;
}

}  // namespace

TEST_CASE("DescribeTopicPartitions answers in pages, and the cursor continues where one ended") {
  HandlerKit kit;
  kit.make_topic("a", 3);
  kit.make_topic("b", 2);
  CHECK(page(kit, {"b", "a"}, 2) == Page{{{"a", {0, 1}}}, {{"a", 2}}});
  CHECK(page(kit, {"b", "a"}, 3) == Page{{{"a", {0, 1, 2}}}, {{"b", 0}}});
  CHECK(page(kit, {"b", "a"}, 2, PartitionCursor{"a", 2}) == Page{{{"a", {2}}, {"b", {0}}}, {{"b", 1}}});
  CHECK(page(kit, {"b", "a"}, 2, PartitionCursor{"b", 0}) == Page{{{"b", {0, 1}}}, std::nullopt});
  CHECK(page(kit, {}, 100) == Page{{{"a", {0, 1, 2}}, {"b", {0, 1}}}, std::nullopt});
  CHECK(page(kit, {"a", "a"}, 0) == Page{{{"a", {0}}}, {{"a", 1}}});
  CHECK(page(kit, {"a"}, 100, PartitionCursor{"a", 2147483647}) == Page{{{"a", {}}}, std::nullopt});
}

TEST_CASE("DescribeTopicPartitions has an error for each topic that it cannot describe") {
  HandlerKit kit;
  kit.make_topic("a");
  auto error = [&](std::string name, std::optional<PartitionCursor> cursor = std::nullopt) {
    DescribeTopicPartitionsRequest r;
    r.topics.push_back({std::move(name)});
    r.cursor = std::move(cursor);
    return kit.answer<DescribeTopicPartitionsResponse>(std::move(r), 0).topics.at(0).error_code;
  };
  CHECK(error("a") == 0);
  CHECK(error("nosuch") == 3);
  CHECK(error("a b") == 17);
  CHECK(error("a", PartitionCursor{"a", -1}) == 42);
}

TEST_CASE("DescribeLogDirs tells what partitions retain, of those that exist, and the directory's space") {
  GatewaySettings here;
  here.data_dir = ".";
  HandlerKit kit(here);
  kit.make_topic("a", 2);
  kit.append("a", {"0123456789"}, 1);
  kit.executor.run_until_idle();
  auto ask = [&](std::optional<std::vector<DescribeLogDirsRequest::Topic>> topics) {
    DescribeLogDirsRequest r;
    r.topics = std::move(topics);
    auto dirs = kit.answer<DescribeLogDirsResponse>(std::move(r), 4).dirs;
    REQUIRE(dirs.size() == 1);
    return dirs[0];
  };
  auto all = ask(std::nullopt);
  CHECK(all.path == ".");
  CHECK(all.total_bytes > 0);
  CHECK(all.usable_bytes <= all.total_bytes);
  REQUIRE(all.topics.size() == 1);
  CHECK(all.topics[0].partitions[0].size_bytes == 0);
  CHECK(all.topics[0].partitions[1].size_bytes > 10);
  CHECK(ask({{{"a", {1}}}}).topics[0].partitions.size() == 1);
  CHECK(ask({{{"a", {2, -1}}, {"nosuch", {0}}}}).topics.empty());
  CHECK(ask({{}}).topics.empty());
}

TEST_CASE("requests about access control say that there is none") {
  HandlerKit kit;
  CHECK(kit.answer<DescribeAclsResponse>(DescribeAclsRequest{}, 3).error_code == 54);
  CreateAclsRequest create;
  create.creations.resize(2);
  auto created = kit.answer<CreateAclsResponse>(create, 3).results;
  REQUIRE(created.size() == 2);
  CHECK(created[1].error_code == 54);
  DeleteAclsRequest remove;
  remove.filters.resize(1);
  auto removed = kit.answer<DeleteAclsResponse>(remove, 3).results;
  REQUIRE(removed.size() == 1);
  CHECK(removed[0].error_code == 54);
}

TEST_CASE("no partition ever needs an election, and none moves") {
  HandlerKit kit;
  kit.make_topic("a", 2);
  auto elect = [&](int8_t type, std::string topic, int32_t partition) {
    ElectLeadersRequest r;
    r.election_type = type;
    r.topics->push_back({std::move(topic), {partition}});
    return kit.answer<ElectLeadersResponse>(std::move(r), 2).topics.at(0).partitions.at(0).error_code;
  };
  CHECK(elect(0, "a", 1) == 84);
  CHECK(elect(1, "a", 1) == 84);
  CHECK(elect(0, "a", 2) == 3);
  CHECK(elect(0, "a", -1) == 3);
  CHECK(elect(0, "nosuch", 0) == 3);
  CHECK(elect(7, "a", 1) == 42);
  ElectLeadersRequest all;
  all.topics.reset();
  CHECK(kit.answer<ElectLeadersResponse>(all, 2).topics.empty());
  auto moving = kit.answer<ListPartitionReassignmentsResponse>(ListPartitionReassignmentsRequest{}, 0);
  CHECK(moving.error_code == 0);
  CHECK(moving.topics.empty());
}
