// Metadata. Topics that do not exist are created if the client and the options allow it; Kafka's
// first answer for such a topic is an error, ours has the topic already.
#include <algorithm>
#include <unordered_set>

#include "base/log.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/metadata.h"

namespace topicfs::kafka {
namespace {

using MetadataCall = CallPtr<MetadataRequest, MetadataResponse>;
using Topic = MetadataResponse::Topic;

constexpr int16_t kFirstNullableTopics = 1, kFirstByIdVersion = 12, kFirstAutoCreateField = 4;

void describe(const Gateway& gateway, const TopicInfo& topic, bool with_operations, Topic& out) {
  out.error_code = 0;
  out.name = topic.name;
  out.topic_id = topic.id;
  if (with_operations) out.topic_authorized_operations = kAllTopicOperations;
  out.partitions.resize(topic.partitions.size());
  for (size_t i = 0; i < topic.partitions.size(); i++) {
    auto& p = out.partitions[i];
    p.partition_index = static_cast<int32_t>(i);
    p.leader_id = kNodeId;
    p.leader_epoch = gateway.leader_epoch();
    p.replica_nodes = {kNodeId};
    p.isr_nodes = {kNodeId};
  }
}

void refuse(Topic& out, ErrorCode code) { out.error_code = code_of(code); }

void create(Gateway& gateway, const MetadataCall& call, Topic& out) {
  NewTopic topic = gateway.new_topic(*out.name, gateway.options.default_partitions);
  bool with_operations = call->request.include_topic_authorized_operations;
  gateway.engine.create_topic(std::move(topic), [&gateway, call, &out, with_operations](Result<TopicPtr> made) {
    if (made) return describe(gateway, **made, with_operations, out);
    // Another client may have been faster.
    if (TopicPtr there = gateway.engine.find_topic(*out.name); made.error().code == Errc::kExists && there)
      return describe(gateway, *there, with_operations, out);
    LOG_WARNING("cannot create topic {} for {}: {}", *out.name, call->sink->peer().client_address,
                made.error().message());
    refuse(out, error_code_of(made.error(), Verb::catalog));
  });
}

void answer_name(Gateway& gateway, const MetadataCall& call, Topic& out) {
  bool with_operations = call->request.include_topic_authorized_operations;
  if (TopicPtr topic = gateway.engine.find_topic(*out.name)) return describe(gateway, *topic, with_operations, out);
  if (!is_valid_topic_name(*out.name)) return refuse(out, ErrorCode::kInvalidTopicException);
  bool allowed = call->version() < kFirstAutoCreateField || call->request.allow_auto_topic_creation;
  if (!allowed || !gateway.options.auto_create_topics || gateway.name_collides(*out.name))
    return refuse(out, ErrorCode::kUnknownTopicOrPartition);
  create(gateway, call, out);
}

void answer_id(Gateway& gateway, const MetadataCall& call, const Uuid& id, Topic& out) {
  out.topic_id = id;
  TopicPtr topic = gateway.engine.find_topic(id);
  if (topic) return describe(gateway, *topic, call->request.include_topic_authorized_operations, out);
  out.name.reset();
  refuse(out, ErrorCode::kUnknownTopicId);
}

void answer_all(Gateway& gateway, const MetadataCall& call) {
  auto topics = gateway.engine.list_topics();
  call->response.topics.resize(topics.size());
  for (size_t i = 0; i < topics.size(); i++)
    describe(gateway, *topics[i], call->request.include_topic_authorized_operations, call->response.topics[i]);
}

/// Versions 10 and 11 have a field for the id, which no broker ever served (KIP-516).
bool asks_badly(const MetadataCall& call) {
  for (const auto& topic : *call->request.topics)
    if (call->version() < kFirstByIdVersion && (!topic.topic_id.is_nil() || !topic.name)) return true;
  return false;
}

void answer_some(Gateway& gateway, const MetadataCall& call) {
  const auto& wanted = *call->request.topics;
  auto& topics = call->response.topics;
  topics.reserve(wanted.size());  // completions keep references into it
  if (asks_badly(call)) {
    call->response.brokers.clear();
    call->response.cluster_id.reset();
    call->response.controller_id = -1;
    for (const auto& in : wanted) {
      Topic& out = topics.emplace_back();
      out.topic_id = in.topic_id;
      out.name = in.name.value_or("");
      refuse(out, ErrorCode::kInvalidRequest);
    }
    return;
  }
  bool by_id = std::any_of(wanted.begin(), wanted.end(), [](const auto& t) { return !t.topic_id.is_nil(); });
  // What is named again is answered once, or a short request could ask for any number of partitions.
  std::unordered_set<std::string_view> seen;
  std::unordered_set<Uuid> seen_ids;
  for (const auto& in : wanted) {
    if (by_id) {  // names beside ids are ignored, as in Kafka
      if (!in.topic_id.is_nil() && seen_ids.insert(in.topic_id).second)
        answer_id(gateway, call, in.topic_id, topics.emplace_back());
      continue;
    }
    if (in.name && !seen.insert(*in.name).second) continue;
    Topic& out = topics.emplace_back();
    if (!in.name) {
      answer_id(gateway, call, in.topic_id, out);
    } else {
      out.name = in.name;
      answer_name(gateway, call, out);
    }
  }
}

}  // namespace

void handle(Gateway& gateway, MetadataCall call) {
  const MetadataRequest& request = call->request;
  MetadataResponse& response = call->response;
  Node node = gateway.node_for(call->sink->peer());
  response.brokers.push_back({kNodeId, node.host, node.port, std::nullopt});
  response.cluster_id = gateway.cluster_id;
  response.controller_id = kNodeId;
  if (request.include_cluster_authorized_operations) response.cluster_authorized_operations = kAllClusterOperations;
  bool all = !request.topics || (call->version() < kFirstNullableTopics && request.topics->empty());
  if (all) answer_all(gateway, call);
  else answer_some(gateway, call);
}

template std::unique_ptr<Exchange> new_call<MetadataRequest, MetadataResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
