// CreateTopics. A replication factor above 1 is accepted, and the one replica is reported: tools
// written for clusters ask for 3.
#include <map>
#include <set>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/handlers/topic_settings.h"
#include "kafka/messages/create_topics.h"

namespace topicfs::kafka {
namespace {

using CreateCall = CallPtr<CreateTopicsRequest, CreateTopicsResponse>;
using In = CreateTopicsRequest::Topic;
using Out = CreateTopicsResponse::Topic;

constexpr int32_t kDefaultCount = -1;
/// Each is answered with all its settings; Kafka's limit, of partitions, is the same number.
constexpr size_t kMaxTopics = 10'000;

void refuse(Out& out, ErrorCode code, std::string why) {
  out.error_code = code_of(code);
  out.error_message = std::move(why);
  out.num_partitions = -1, out.replication_factor = -1;
  out.topic_id = Uuid{};
}

void describe(Out& out, const Uuid& id, int32_t partitions, const TopicSettings& settings) {
  out.error_message.reset();
  out.topic_id = id;
  out.num_partitions = partitions;
  out.replication_factor = 1;
  for (const ShownSetting& s : shown_settings(settings))
    out.settings->push_back({std::string(s.about.name), s.value, false, static_cast<int8_t>(s.source), false});
}

/// Explicit replicas: every partition once, from 0, each on this broker alone.
bool check_assignments(const In& in, Out& out) {
  if (in.num_partitions != kDefaultCount || in.replication_factor != kDefaultCount)
    return refuse(out, ErrorCode::kInvalidRequest, "both a count and replica assignments"), false;
  std::set<int32_t> indexes;
  for (const auto& a : in.assignments) {
    if (a.broker_ids.size() != 1 || a.broker_ids[0] != kNodeId)
      return refuse(out, ErrorCode::kInvalidReplicaAssignment, "the only broker is 0, once"), false;
    if (!indexes.insert(a.partition_index).second)
      return refuse(out, ErrorCode::kInvalidReplicaAssignment, "a partition is assigned twice"), false;
  }
  if (*indexes.begin() != 0 || *indexes.rbegin() != static_cast<int32_t>(indexes.size()) - 1)
    return refuse(out, ErrorCode::kInvalidReplicaAssignment, "partitions must be numbered 0, 1, ..."), false;
  return true;
}

bool check_counts(const In& in, Out& out) {
  if (!in.assignments.empty()) return check_assignments(in, out);
  if (in.num_partitions > kMaxPartitionsPerTopic)
    return refuse(out, ErrorCode::kInvalidPartitions, "at most 100000 partitions"), false;
  if (in.num_partitions < 1 && in.num_partitions != kDefaultCount)
    return refuse(out, ErrorCode::kInvalidPartitions, "the number of partitions must be 1 or more"), false;
  if (in.replication_factor < 1 && in.replication_factor != kDefaultCount)
    return refuse(out, ErrorCode::kInvalidReplicationFactor, "the replication factor must be 1 or more"), false;
  return true;
}

bool check_settings(const In& in, NewTopic& topic, Out& out) {
  for (const auto& s : in.settings) {
    if (!s.value) return refuse(out, ErrorCode::kInvalidConfig, "null value for setting " + s.name), false;
    topic.settings[s.name] = *s.value;
  }
  auto parsed = parse_topic_settings(topic.settings);
  if (!parsed) return refuse(out, ErrorCode::kInvalidConfig, parsed.error().what), false;
  topic.settings = std::move(*parsed);
  return true;
}

bool check_name(Gateway& gateway, const In& in, Out& out) {
  if (!is_valid_topic_name(in.name))
    return refuse(out, ErrorCode::kInvalidTopicException, "a name has 1 to 249 of [A-Za-z0-9._-]"), false;
  if (gateway.engine.find_topic(in.name))
    return refuse(out, ErrorCode::kTopicAlreadyExists, "topic " + in.name + " exists"), false;
  if (gateway.name_collides(in.name))
    return refuse(out, ErrorCode::kInvalidTopicException, "another name differs only in '.' against '_'"), false;
  return true;
}

void create(Gateway& gateway, const CreateCall& call, NewTopic topic, Out& out) {
  if (call->request.validate_only) return describe(out, Uuid{}, topic.partitions, topic.settings);
  gateway.engine.create_topic(std::move(topic), [call, &out](Result<TopicPtr> made) {
    if (!made) return refuse(out, error_code_of(made.error(), Verb::catalog), made.error().what);
    describe(out, (*made)->id, static_cast<int32_t>((*made)->partitions.size()), (*made)->settings);
  });
}

}  // namespace

void handle(Gateway& gateway, CreateCall call) {
  const auto& wanted = call->request.topics;
  std::map<std::string_view, int> named;
  for (const In& in : wanted) named[in.name]++;
  call->response.topics.reserve(wanted.size());  // completions keep references into it
  for (const In& in : wanted) {
    int& times = named[in.name];
    if (times == 0) continue;  // answered already
    Out& out = call->response.topics.emplace_back();
    out.name = in.name;
    if (times > 1) {
      refuse(out, ErrorCode::kInvalidRequest, "the topic is named twice");
      times = 0;
      continue;
    }
    if (wanted.size() > kMaxTopics) {
      refuse(out, ErrorCode::kPolicyViolation, "make at most 10000 topics at a time");
      continue;
    }
    NewTopic topic = gateway.new_topic(in.name, 0);
    if (!check_name(gateway, in, out) || !check_counts(in, out) ||
        !check_settings(in, topic, out))
      continue;
    topic.partitions = !in.assignments.empty()             ? static_cast<int32_t>(in.assignments.size())
                       : in.num_partitions == kDefaultCount ? gateway.options.default_partitions
                                                            : in.num_partitions;
    create(gateway, call, std::move(topic), out);
  }
}

template std::unique_ptr<Exchange> new_call<CreateTopicsRequest, CreateTopicsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
