// ElectLeaders: the only broker leads whatever exists. Asked about all partitions, it names those that need an
// election: none.

#include "kafka/handlers/call.h"
#include "kafka/messages/elect_leaders.h"

namespace topicfs::kafka {
namespace {

constexpr int8_t kPreferred = 0, kUnclean = 1;

void answer(const TopicPtr& topic, bool knows_type, ElectLeadersResponse::Partition& out) {
  bool exists = topic && out.partition_index >= 0 && static_cast<size_t>(out.partition_index) < topic->partitions.size();
  ErrorCode code = !knows_type ? ErrorCode::kInvalidRequest
                   : exists    ? ErrorCode::kElectionNotNeeded
                               : ErrorCode::kUnknownTopicOrPartition;
  out.error_code = code_of(code);
  out.error_message = !knows_type ? "elections are preferred (0) or unclean (1)"
                      : exists    ? "the only broker leads the partition"
                                  : "there is no such partition";
}

}  // namespace

void handle(Gateway& gateway, CallPtr<ElectLeadersRequest, ElectLeadersResponse> call) {
  const ElectLeadersRequest& request = call->request;
  bool knows_type = request.election_type == kPreferred || request.election_type == kUnclean;
  if (!knows_type) call->response.error_code = code_of(ErrorCode::kInvalidRequest);
  if (!request.topics) return;
  for (const auto& in : *request.topics) {
    TopicPtr topic = gateway.engine.find_topic(in.name);
    auto& out = call->response.topics.emplace_back();
    out.name = in.name;
    for (int32_t index : in.partitions) {
      auto& partition = out.partitions.emplace_back();
      partition.partition_index = index;
      answer(topic, knows_type, partition);
    }
  }
}

template std::unique_ptr<Exchange> new_call<ElectLeadersRequest, ElectLeadersResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
