// DescribeTopicPartitions: topics by name, so many partitions at a time, from a cursor on. KIP-966.
#include <algorithm>
#include <set>

#include "kafka/handlers/call.h"
#include "kafka/messages/describe_topic_partitions.h"

namespace topicfs::kafka {
namespace {

using Response = DescribeTopicPartitionsResponse;

/// Kafka's max.request.partition.size.limit.
constexpr int32_t kMostPartitions = 2000;

/// The names asked for, or all, from the cursor on, each once.
std::set<std::string> wanted_names(Gateway& gateway, const DescribeTopicPartitionsRequest& request) {
  std::set<std::string> names;
  for (const auto& topic : request.topics) names.insert(topic.name);
  if (request.topics.empty())
    for (const TopicPtr& topic : gateway.engine.list_topics()) names.insert(topic->name);
  if (request.cursor) names.erase(names.begin(), names.lower_bound(request.cursor->topic_name));
  return names;
}

void describe(int32_t index, int32_t leader_epoch, Response::Partition& out) {
  out.partition_index = index;
  out.leader_id = kNodeId;
  out.leader_epoch = leader_epoch;
  out.replica_nodes = out.isr_nodes = {kNodeId};
  out.eligible_leader_replicas.emplace();
  out.last_known_elr.emplace();
}

/// Up to `room` partitions of the topic from `first` on; answers where it stopped, or -1 at its end.
int32_t describe(const TopicInfo& topic, int32_t leader_epoch, int32_t first, int32_t room, Response::Topic& out) {
  auto count = static_cast<int32_t>(topic.partitions.size());
  out.topic_id = topic.id;
  int32_t end = first < count ? first + std::min(room, count - first) : first;
  for (int32_t i = first; i < end; i++) describe(i, leader_epoch, out.partitions.emplace_back());
  return end < count ? end : -1;
}

}  // namespace

void handle(Gateway& gateway, CallPtr<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse> call) {
  const DescribeTopicPartitionsRequest& request = call->request;
  Response& response = call->response;
  bool bad_cursor = request.cursor && request.cursor->partition_index < 0;
  int32_t room = std::clamp(request.response_partition_limit, 1, kMostPartitions);
  for (const std::string& name : wanted_names(gateway, request)) {
    if (room == 0) {
      response.next_cursor = {name, 0};
      return;
    }
    Response::Topic& out = response.topics.emplace_back();
    out.name = name;
    out.topic_authorized_operations = kAllTopicOperations;
    TopicPtr topic = gateway.engine.find_topic(name);
    if (bad_cursor || !topic) {
      out.error_code = code_of(bad_cursor                  ? ErrorCode::kInvalidRequest
                               : is_valid_topic_name(name) ? ErrorCode::kUnknownTopicOrPartition
                                                           : ErrorCode::kInvalidTopicException);
      continue;
    }
    int32_t first = request.cursor && request.cursor->topic_name == name ? request.cursor->partition_index : 0;
    if (int32_t next = describe(*topic, gateway.leader_epoch(), first, room, out); next >= 0) {
      response.next_cursor = {name, next};
      return;
    }
    room -= static_cast<int32_t>(out.partitions.size());
  }
}

template std::unique_ptr<Exchange> new_call<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
