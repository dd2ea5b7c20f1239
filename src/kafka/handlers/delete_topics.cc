// DeleteTopics, with everything in them.
#include <map>

#include "kafka/handlers/error_map.h"
#include "kafka/handlers/handlers.h"

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

}  // namespace

void handle(Gateway& gateway, DeleteCall call) {
  std::vector<DeleteTopicsRequest::Topic> wanted = call->request.topics;
  if (call->version() < kFirstByIdVersion)
    for (const std::string& name : call->request.topic_names) wanted.push_back({name, Uuid{}});
  // Named twice: in the same way, or once by its name and once by its id, which is answered by its name.
  std::map<std::pair<std::optional<std::string>, Uuid>, int> named;
  for (const auto& in : wanted) named[{in.name, in.topic_id}]++;
  std::map<std::string, Uuid> named_both_ways;
  for (const auto& in : wanted) {
    TopicPtr topic = in.name && in.topic_id.is_nil() ? gateway.engine.find_topic(*in.name) : nullptr;
    auto by_id = topic ? named.find({std::nullopt, topic->id}) : named.end();
    if (by_id == named.end()) continue;
    named[{in.name, in.topic_id}] += by_id->second;
    named_both_ways[*in.name] = topic->id;
    by_id->second = 0;
  }
  call->response.topics.reserve(wanted.size());  // completions keep references into it
  for (const auto& in : wanted) {
    int& times = named[{in.name, in.topic_id}];
    if (times == 0) continue;  // answered already
    Out& out = call->response.topics.emplace_back();
    if (times == 1) {
      answer(gateway, call, in, out);
      continue;
    }
    out.name = in.name;
    out.topic_id = in.topic_id;
    if (auto both = in.name ? named_both_ways.find(*in.name) : named_both_ways.end(); both != named_both_ways.end())
      out.topic_id = both->second;
    refuse(out, ErrorCode::kInvalidRequest, "the topic is named twice");
    times = 0;
  }
}

}  // namespace topicfs::kafka
