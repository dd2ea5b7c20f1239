// DeleteTopics, with everything in them.
#include <map>
#include <utility>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/delete_topics.h"

namespace topicfs::kafka {
namespace {

using DeleteCall = CallPtr<DeleteTopicsRequest, DeleteTopicsResponse>;
using Out = DeleteTopicsResponse::Topic;

constexpr int16_t kFirstByIdVersion = 6;

void refuse(Out& out, ErrorCode code, std::string why) {
  out.error_code = code_of(code);
  out.error_message = std::move(why);
}

void remove(Gateway& gateway, const DeleteCall& call, const TopicPtr& topic, Out& out) {
  out.name = topic->name;
  out.topic_id = topic->id;
  gateway.engine.delete_topic(topic->id, OnlyEmpty::no, [call, &out](Result<void> removed) {
    if (!removed) refuse(out, error_code_of(removed.error(), Verb::catalog), removed.error().what);
  });
}

void answer(Gateway& gateway, const DeleteCall& call, const DeleteTopicsRequest::Topic& in, Out& out) {
  out.name = in.name;
  out.topic_id = in.topic_id;
  if (in.name.has_value() == !in.topic_id.is_nil()) return refuse(out, ErrorCode::kInvalidRequest, "either a name or an id");
  TopicPtr topic = in.name ? gateway.engine.find_topic(*in.name) : gateway.engine.find_topic(in.topic_id);
  if (topic) return remove(gateway, call, topic, out);
  refuse(out, in.name ? ErrorCode::kUnknownTopicOrPartition : ErrorCode::kUnknownTopicId, "there is no such topic");
}

using Wanted = DeleteTopicsRequest::Topic;

std::vector<Wanted> wanted_topics(const DeleteCall& call) {
  std::vector<Wanted> wanted = call->request.topics;
  if (call->version() < kFirstByIdVersion)
    for (const std::string& name : call->request.topic_names) wanted.push_back({name, Uuid{}});
  return wanted;
}

struct Named {
  int times = 0;
  Uuid also_by_id;  ///< if it is named in both ways
};
using NamedTopics = std::map<std::pair<std::optional<std::string>, Uuid>, Named>;

/// How often each is named. What is named by its name and by its id counts under its name, and no more under its id.
NamedTopics count(Gateway& gateway, const std::vector<Wanted>& wanted) {
  NamedTopics named;
  for (const auto& in : wanted) named[{in.name, in.topic_id}].times++;
  for (const auto& in : wanted) {
    TopicPtr topic = in.name && in.topic_id.is_nil() ? gateway.engine.find_topic(*in.name) : nullptr;
    auto by_id = topic ? named.find({std::nullopt, topic->id}) : named.end();
    if (by_id == named.end() || by_id->second.times == 0) continue;
    Named& by_name = named[{in.name, in.topic_id}];
    by_name.times += std::exchange(by_id->second.times, 0);
    by_name.also_by_id = topic->id;
  }
  return named;
}

}  // namespace

void handle(Gateway& gateway, DeleteCall call) {
  const std::vector<Wanted> wanted = wanted_topics(call);
  NamedTopics named = count(gateway, wanted);
  call->response.topics.reserve(wanted.size());  // completions keep references into it
  for (const auto& in : wanted) {
    Named& how = named[{in.name, in.topic_id}];
    if (how.times == 0) continue;  // answered already
    Out& out = call->response.topics.emplace_back();
    if (how.times == 1) {
      answer(gateway, call, in, out);
      continue;
    }
    out.name = in.name;
    out.topic_id = how.also_by_id.is_nil() ? in.topic_id : how.also_by_id;
    refuse(out, ErrorCode::kInvalidRequest, "the topic is named twice");
    how.times = 0;
  }
}

template std::unique_ptr<Exchange> new_call<DeleteTopicsRequest, DeleteTopicsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
