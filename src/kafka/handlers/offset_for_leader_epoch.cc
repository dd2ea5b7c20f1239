// OffsetForLeaderEpoch: a reader that was away asks where the epoch of its last record ended. If that is before its
// position, records that it has read are gone.
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/handlers/leader_epochs.h"
#include "kafka/messages/offset_for_leader_epoch.h"

namespace topicfs::kafka {
namespace {

using EpochCall = CallPtr<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>;
using In = OffsetForLeaderEpochRequest::Partition;
using Out = OffsetForLeaderEpochResponse::Partition;

void refuse(Out& out, ErrorCode code) { out.error_code = code_of(code); }

void answer(Gateway& gateway, const EpochCall& call, const TopicPtr& topic, const In& in, Out& out) {
  if (!topic || in.partition < 0 || static_cast<size_t>(in.partition) >= topic->partitions.size())
    return refuse(out, ErrorCode::kUnknownTopicOrPartition);
  ErrorCode fenced = check_leader_epoch(in.current_leader_epoch, gateway.leader_epoch());
  if (fenced != ErrorCode::kNone) return refuse(out, fenced);
  PartitionId id = topic->partitions[static_cast<size_t>(in.partition)].id;
  auto found = [&gateway, call, id, asked = in.leader_epoch, &out](Result<std::vector<EpochStart>> epochs) {
    auto ends = gateway.engine.ends(id);
    if (!epochs) return refuse(out, error_code_of(epochs.error(), Verb::read));
    if (!ends) return refuse(out, error_code_of(ends.error(), Verb::read));
    EpochEnd end = end_of_epoch(*epochs, gateway.leader_epoch(), *ends, asked);
    out.leader_epoch = end.epoch, out.end_offset = end.end_offset;
  };
  gateway.engine.leader_epochs(id, std::move(found));
}

}  // namespace

void handle(Gateway& gateway, EpochCall call) {
  auto& topics = call->response.topics;
  topics.resize(call->request.topics.size());
  for (size_t t = 0; t < topics.size(); t++) {
    const auto& in = call->request.topics[t];
    topics[t].topic = in.topic;
    topics[t].partitions.resize(in.partitions.size());  // completions keep references into it
    TopicPtr topic = gateway.engine.find_topic(in.topic);
    for (size_t p = 0; p < in.partitions.size(); p++) {
      topics[t].partitions[p].partition = in.partitions[p].partition;
      answer(gateway, call, topic, in.partitions[p], topics[t].partitions[p]);
    }
  }
}

template std::unique_ptr<Exchange> new_call<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
