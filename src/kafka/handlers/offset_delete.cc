// OffsetDelete. Offsets of topics that the group's members have subscribed to stay.

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/offset_delete.h"

namespace topicfs::kafka {
namespace {

using DeleteCall = CallPtr<OffsetDeleteRequest, OffsetDeleteResponse>;
using Out = OffsetDeleteResponse::Partition;

/// The partitions that lose their offsets, with their places in the response; the others are answered.
struct Chosen {
  std::vector<PartitionId> ids;
  std::vector<Out*> outs;
};

void choose(const TopicPtr& topic, bool is_subscribed, Out& out, Chosen& chosen) {
  size_t index = static_cast<size_t>(out.partition_index);
  if (!topic || out.partition_index < 0 || index >= topic->partitions.size()) {
    out.error_code = code_of(ErrorCode::kUnknownTopicOrPartition);
  } else if (is_subscribed) {
    out.error_code = code_of(ErrorCode::kGroupSubscribedToTopic);
  } else {
    chosen.ids.push_back(topic->partitions[index].id);
    chosen.outs.push_back(&out);
  }
}

Chosen choose_all(Engine& engine, const GroupCoordinator& groups, const DeleteCall& call) {
  const OffsetDeleteRequest& request = call->request;
  auto& topics = call->response.topics;
  Chosen chosen;
  topics.resize(request.topics.size());
  for (size_t t = 0; t < topics.size(); t++) {
    const auto& in = request.topics[t];
    topics[t].name = in.name;
    topics[t].partitions.resize(in.partitions.size());
    TopicPtr topic = engine.find_topic(in.name);
    bool is_subscribed = groups.may_be_subscribed(request.group_id, in.name);
    for (size_t p = 0; p < in.partitions.size(); p++) {
      topics[t].partitions[p].partition_index = in.partitions[p].partition_index;
      choose(topic, is_subscribed, topics[t].partitions[p], chosen);
    }
  }
  return chosen;
}

}  // namespace

void handle(Gateway& gateway, DeleteCall call) {
  std::string group = call->request.group_id;
  gateway.groups->run_for(group, [&gateway, group, call = std::move(call)](GroupCoordinator& groups, Now, Actions&) {
    GroupError error = group.empty() ? GroupError::invalid_group_id : groups.check_offset_delete(group);
    if (error != GroupError::none) {
      call->response.error_code = code_of(error_code_of(error));
      return;
    }
    Chosen chosen = choose_all(gateway.engine, groups, call);
    if (chosen.ids.empty()) return;
    auto ids = std::move(chosen.ids);
    gateway.engine.delete_offsets(group, std::move(ids), [call, outs = std::move(chosen.outs)](Result<void> deleted) {
      if (deleted) return;
      for (Out* out : outs) out->error_code = code_of(error_code_of(deleted.error(), Verb::group));
    });
  });
}

template std::unique_ptr<Exchange> new_call<OffsetDeleteRequest, OffsetDeleteResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
