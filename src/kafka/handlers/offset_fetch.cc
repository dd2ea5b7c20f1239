// OffsetFetch. What was never committed, and groups and partitions that do not exist, have offset -1 and no error.
// Every committed offset is stable: there are no transactions.
#include <map>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/offset_fetch.h"

namespace topicfs::kafka {
namespace {

using FetchCall = CallPtr<OffsetFetchRequest, OffsetFetchResponse>;
using InTopics = std::optional<std::vector<OffsetFetchRequest::Topic>>;
using Topics = std::vector<OffsetFetchResponse::Topic>;
using Partition = OffsetFetchResponse::Partition;
using Committed = std::vector<CommittedOffset>;

constexpr int16_t kFirstBatchVersion = 8, kFirstGroupErrorVersion = 2;

void show(const CommittedOffset& offset, Partition& out) {
  out.committed_offset = offset.offset.v;
  out.committed_leader_epoch = offset.leader_epoch;
  out.metadata = offset.metadata;
}

void answer_all(Engine& engine, const Committed& committed, Topics& out) {
  std::map<std::string, std::vector<Partition>> topics;
  for (const CommittedOffset& offset : committed) {
    auto place = engine.find_partition(offset.partition);
    if (!place) continue;  // deleted a moment ago
    Partition& p = topics[place->topic->name].emplace_back();
    p.partition_index = place->index;
    show(offset, p);
  }
  for (auto& [name, partitions] : topics) out.push_back({name, std::move(partitions)});
}

void answer_some(Engine& engine, const Committed& committed, const std::vector<OffsetFetchRequest::Topic>& wanted,
                 int16_t error, Topics& out) {
  std::map<PartitionId, const CommittedOffset*> by_partition;
  for (const CommittedOffset& offset : committed) by_partition[offset.partition] = &offset;
  for (const auto& in : wanted) {
    TopicPtr topic = engine.find_topic(in.name);
    auto& topic_out = out.emplace_back();
    topic_out.name = in.name;
    for (int32_t index : in.partition_indexes) {
      Partition& p = topic_out.partitions.emplace_back();
      p.partition_index = index;
      p.error_code = error;
      if (!topic || index < 0 || static_cast<size_t>(index) >= topic->partitions.size()) continue;
      auto found = by_partition.find(topic->partitions[static_cast<size_t>(index)].id);
      if (found != by_partition.end()) show(*found->second, p);
    }
  }
}

/// `error` is the group's own; version 1, which has none, puts it to each partition.
void fetch(Gateway& gateway, const FetchCall& call, const std::string& group, const InTopics& wanted, int16_t& error,
           Topics& out) {
  gateway.engine.fetch_offsets(group, [&gateway, call, &wanted, &error, &out](Result<Committed> committed) {
    if (!committed) error = code_of(error_code_of(committed.error(), Verb::group));
    if (error != 0 && call->version() >= kFirstGroupErrorVersion) return;
    if (wanted) answer_some(gateway.engine, committed ? *committed : Committed{}, *wanted, error, out);
    else answer_all(gateway.engine, *committed, out);
  });
}

}  // namespace

void handle(Gateway& gateway, FetchCall call) {
  const OffsetFetchRequest& request = call->request;
  OffsetFetchResponse& response = call->response;
  if (call->version() < kFirstBatchVersion)
    return fetch(gateway, call, request.group_id, request.topics, response.error_code, response.topics);
  response.groups.resize(request.groups.size());
  for (size_t i = 0; i < request.groups.size(); i++) {
    const auto& in = request.groups[i];
    auto& out = response.groups[i];
    out.group_id = in.group_id;
    fetch(gateway, call, in.group_id, in.topics, out.error_code, out.topics);
  }
}

template std::unique_ptr<Exchange> new_call<OffsetFetchRequest, OffsetFetchResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
