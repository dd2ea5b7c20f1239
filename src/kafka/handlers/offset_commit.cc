// OffsetCommit. Retention times of old versions are ignored. Answered when the offsets are durable. The coordinator
// says who may commit; its events and the engine's commits happen in one order.

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/offset_commit.h"

namespace topicfs::kafka {
namespace {

using CommitCall = CallPtr<OffsetCommitRequest, OffsetCommitResponse>;
using Out = OffsetCommitResponse::Partition;

constexpr int16_t kFirstGroupNotFoundVersion = 9;
constexpr size_t kMaxMetadataBytes = 4096;  // Kafka's offset.metadata.max.bytes

/// The partitions that may be committed, with their places in the response; the others are answered.
struct Accepted {
  std::vector<CommittedOffset> offsets;
  std::vector<Out*> outs;

  void answer(ErrorCode code) {
    for (Out* out : outs) out->error_code = code_of(code);
  }
};

void accept(const TopicPtr& topic, const OffsetCommitRequest::Partition& in, Out& out, Accepted& accepted) {
  out.partition_index = in.partition_index;
  if (!topic || in.partition_index < 0 || static_cast<size_t>(in.partition_index) >= topic->partitions.size()) {
    out.error_code = code_of(ErrorCode::kUnknownTopicOrPartition);
    return;
  }
  CommittedOffset offset;
  offset.partition = topic->partitions[static_cast<size_t>(in.partition_index)].id;
  offset.offset = Offset(in.committed_offset);
  offset.leader_epoch = in.committed_leader_epoch;
  offset.metadata = in.committed_metadata.value_or("");
  accepted.offsets.push_back(std::move(offset));
  accepted.outs.push_back(&out);
}

Accepted accept_all(Gateway& gateway, const CommitCall& call) {
  Accepted accepted;
  auto& topics = call->response.topics;
  topics.resize(call->request.topics.size());
  for (size_t t = 0; t < topics.size(); t++) {
    const auto& in = call->request.topics[t];
    topics[t].name = in.name;
    topics[t].partitions.resize(in.partitions.size());
    TopicPtr topic = gateway.engine.find_topic(in.name);
    for (size_t p = 0; p < in.partitions.size(); p++) accept(topic, in.partitions[p], topics[t].partitions[p], accepted);
  }
  return accepted;
}

/// Metadata is checked behind the membership, as in Kafka.
void refuse_long_metadata(Accepted& accepted) {
  Accepted kept;
  for (size_t i = 0; i < accepted.offsets.size(); i++) {
    if (accepted.offsets[i].metadata.size() > kMaxMetadataBytes) {
      accepted.outs[i]->error_code = code_of(ErrorCode::kOffsetMetadataTooLarge);
      continue;
    }
    kept.offsets.push_back(std::move(accepted.offsets[i]));
    kept.outs.push_back(accepted.outs[i]);
  }
  accepted = std::move(kept);
}

}  // namespace

void handle(Gateway& gateway, CommitCall call) {
  Accepted all = accept_all(gateway, call);
  if (all.offsets.empty()) return;
  std::string group = call->request.group_id;
  gateway.groups->run_for(std::move(group), [&gateway, call = std::move(call), accepted = std::move(all)](
                                                GroupCoordinator& groups, Now now, Actions&) mutable {
    const OffsetCommitRequest& in = call->request;
    GroupError error = groups.check_commit(in.group_id, {in.member_id, in.group_instance_id}, in.generation_id, now);
    if (error == GroupError::group_id_not_found && call->version() < kFirstGroupNotFoundVersion)
      error = GroupError::illegal_generation;
    if (error != GroupError::none) return accepted.answer(error_code_of(error));
    refuse_long_metadata(accepted);
    if (accepted.offsets.empty()) return;
    auto offsets = std::move(accepted.offsets);
    gateway.engine.commit_offsets(in.group_id, std::move(offsets),
                                  [call, accepted = std::move(accepted)](Result<void> committed) mutable {
                                    if (!committed) accepted.answer(error_code_of(committed.error(), Verb::group));
                                  });
  });
}

template std::unique_ptr<Exchange> new_call<OffsetCommitRequest, OffsetCommitResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
