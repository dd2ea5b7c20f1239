// CreatePartitions: a topic grows to a total number of partitions.
#include <map>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/create_partitions.h"

namespace topicfs::kafka {
namespace {

using GrowCall = CallPtr<CreatePartitionsRequest, CreatePartitionsResponse>;
using In = CreatePartitionsRequest::Topic;
using Out = CreatePartitionsResponse::Topic;

void refuse(Out& out, ErrorCode code, std::string why) {
  out.error_code = code_of(code);
  out.error_message = std::move(why);
}

bool check_assignments(const In& in, int32_t added, Out& out) {
  if (!in.assignments) return true;
  if (static_cast<int32_t>(in.assignments->size()) != added)
    return refuse(out, ErrorCode::kInvalidReplicaAssignment, "one assignment for each new partition"), false;
  for (const auto& a : *in.assignments)
    if (a.broker_ids.size() != 1 || a.broker_ids[0] != kNodeId)
      return refuse(out, ErrorCode::kInvalidReplicaAssignment, "the only broker is 0, once"), false;
  return true;
}

void answer(Gateway& gateway, const GrowCall& call, const In& in, Out& out) {
  TopicPtr topic = gateway.engine.find_topic(in.name);
  if (!topic) {
    out.error_code = code_of(ErrorCode::kUnknownTopicOrPartition);
    return;
  }
  auto now = static_cast<int32_t>(topic->partitions.size());
  if (in.count <= now)
    return refuse(out, ErrorCode::kInvalidPartitions, "the topic has " + std::to_string(now) + " partitions already");
  if (in.count > kMaxPartitionsPerTopic)
    return refuse(out, ErrorCode::kInvalidPartitions, "at most 100000 partitions");
  if (!check_assignments(in, in.count - now, out) || call->request.validate_only) return;
  Ownership ownership =
      topic->partitions.empty() ? gateway.new_topic({}, 0).partition_ownership : topic->partitions.back().ownership;
  gateway.engine.add_partitions(topic->id, in.count, ownership, [call, &out](Result<TopicPtr> grown) {
    if (grown) return;
    ErrorCode code = grown.error().code == Errc::kExists ? ErrorCode::kInvalidPartitions
                                                         : error_code_of(grown.error(), Verb::catalog);
    refuse(out, code, grown.error().what);
  });
}

}  // namespace

void handle(Gateway& gateway, GrowCall call) {
  const auto& wanted = call->request.topics;
  std::map<std::string_view, int> named;
  for (const In& in : wanted) named[in.name]++;
  call->response.topics.reserve(wanted.size());  // completions keep references into it
  for (const In& in : wanted) {
    int& times = named[in.name];
    if (times == 0) continue;  // answered already
    Out& out = call->response.topics.emplace_back();
    out.name = in.name;
    if (times == 1) {
      answer(gateway, call, in, out);
      continue;
    }
    refuse(out, ErrorCode::kInvalidRequest, "the topic is named twice");
    times = 0;
  }
}

template std::unique_ptr<Exchange> new_call<CreatePartitionsRequest, CreatePartitionsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
