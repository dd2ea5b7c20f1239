// DeleteRecords: the log start moves up to an offset; the answer comes when that is durable.
#include <map>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/delete_records.h"

namespace topicfs::kafka {
namespace {

using DeleteCall = CallPtr<DeleteRecordsRequest, DeleteRecordsResponse>;
using Out = DeleteRecordsResponse::Partition;

void refuse(Out& out, ErrorCode code) { out.error_code = code_of(code); }

/// Kafka deletes from a compacted topic by compaction alone.
bool only_compacts(const TopicInfo& topic) {
  auto policy = topic.settings.find("cleanup.policy");
  return policy != topic.settings.end() && policy->second.find("delete") == std::string::npos;
}

void remove(Gateway& gateway, const DeleteCall& call, const TopicPtr& topic, int64_t offset, Out& out) {
  if (!topic || out.partition_index < 0 || static_cast<size_t>(out.partition_index) >= topic->partitions.size())
    return refuse(out, ErrorCode::kUnknownTopicOrPartition);
  if (only_compacts(*topic)) return refuse(out, ErrorCode::kPolicyViolation);
  PartitionId id = topic->partitions[static_cast<size_t>(out.partition_index)].id;
  static_assert(Engine::kDurableEnd.v == -1);  // what Kafka means by it
  gateway.engine.delete_records(id, Offset(offset), [call, &out](Result<Offset> start) {
    if (start) out.low_watermark = start->v;
    else refuse(out, error_code_of(start.error(), Verb::read));
  });
}

}  // namespace

void handle(Gateway& gateway, DeleteCall call) {
  std::map<std::string, std::map<int32_t, int64_t>> wanted;  // of a partition named twice the last offset counts
  for (const auto& topic : call->request.topics)
    for (const auto& p : topic.partitions) wanted[topic.name][p.partition_index] = p.offset;
  auto& topics = call->response.topics;
  topics.reserve(wanted.size());  // completions keep references into it
  for (const auto& [name, partitions] : wanted) {
    auto& out = topics.emplace_back();
    out.name = name;
    out.partitions.reserve(partitions.size());
    TopicPtr topic = gateway.engine.find_topic(name);
    for (const auto& [index, offset] : partitions) {
      Out& partition = out.partitions.emplace_back();
      partition.partition_index = index;
      remove(gateway, call, topic, offset, partition);
    }
  }
}

template std::unique_ptr<Exchange> new_call<DeleteRecordsRequest, DeleteRecordsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
