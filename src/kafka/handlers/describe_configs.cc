// DescribeConfigs. Settings of topics show where their value comes from; those of the broker can only be read.
#include <algorithm>

#include "kafka/handlers/broker_settings.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/config_resources.h"
#include "kafka/messages/describe_configs.h"

namespace topicfs::kafka {
namespace {

using Request = DescribeConfigsRequest;
using In = DescribeConfigsRequest::Resource;
using Out = DescribeConfigsResponse::Result;
using Setting = DescribeConfigsResponse::Setting;

/// Each takes some 10 KB of the response.
constexpr size_t kMaxResources = 10'000;

void refuse(Out& out, ErrorCode code, std::optional<std::string> why) {
  out.error_code = code_of(code);
  out.error_message = std::move(why);
}

/// No names, or an empty list of them, ask for all.
bool wants(const In& in, std::string_view name) {
  return !in.keys || in.keys->empty() || std::find(in.keys->begin(), in.keys->end(), name) != in.keys->end();
}

Setting show(const Request& request, std::string_view name, std::string value, SettingSource source, SettingType type,
             std::string_view help) {
  Setting out;
  out.name = name;
  out.value = std::move(value);
  out.source = static_cast<int8_t>(source);
  out.type = static_cast<int8_t>(type);
  if (request.include_documentation) out.documentation = help;
  else out.documentation.reset();
  return out;
}

/// The values that count one after another: the topic's own, then the broker's.
std::vector<DescribeConfigsResponse::Synonym> synonyms(const ShownSetting& s) {
  std::vector<DescribeConfigsResponse::Synonym> all;
  if (s.source == SettingSource::topic) all.push_back({std::string(s.about.name), s.value, static_cast<int8_t>(s.source)});
  if (!s.about.broker_name.empty())
    all.push_back({std::string(s.about.broker_name), std::string(s.about.default_value),
                   static_cast<int8_t>(SettingSource::default_value)});
  return all;
}

void describe_topic(Gateway& gateway, const Request& request, const In& in, Out& out) {
  if (!is_valid_topic_name(in.name))
    return refuse(out, ErrorCode::kInvalidTopicException, "a name has 1 to 249 of [A-Za-z0-9._-]");
  TopicPtr topic = gateway.engine.find_topic(in.name);
  if (!topic) return refuse(out, ErrorCode::kUnknownTopicOrPartition, std::nullopt);
  for (const ShownSetting& s : shown_settings(topic->settings)) {
    if (!wants(in, s.about.name)) continue;
    Setting& setting = out.settings.emplace_back(
        show(request, s.about.name, s.value, s.source, type_of(s.about.form), s.about.help));
    if (request.include_synonyms) setting.synonyms = synonyms(s);
  }
}

void describe_broker(Gateway& gateway, const Request& request, const In& in, Out& out) {
  if (in.name.empty()) return;  // defaults of all brokers, which can be changed: there are none
  if (in.name != std::to_string(kNodeId))
    return refuse(out, ErrorCode::kInvalidRequest, "the only broker is " + std::to_string(kNodeId));
  for (BrokerSetting& s : broker_settings(gateway.options)) {
    if (!wants(in, s.name)) continue;
    Setting& setting = out.settings.emplace_back(show(request, s.name, s.value, s.source, s.type, s.help));
    setting.read_only = true;
    if (request.include_synonyms) setting.synonyms = {{setting.name, s.value, setting.source}};
  }
}

}  // namespace

void handle(Gateway& gateway, CallPtr<DescribeConfigsRequest, DescribeConfigsResponse> call) {
  const bool is_too_much = call->request.resources.size() > kMaxResources;
  for (const In& in : call->request.resources) {
    Out& out = call->response.results.emplace_back();
    out.type = in.type;
    out.name = in.name;
    if (is_too_much) refuse(out, ErrorCode::kInvalidRequest, "ask for at most 10000 resources at a time");
    else if (in.type == kTopicResource) describe_topic(gateway, call->request, in, out);
    else if (in.type == kBrokerResource) describe_broker(gateway, call->request, in, out);
    else refuse(out, ErrorCode::kInvalidRequest, "only topics (2) and the broker (4) have settings");
  }
}

template std::unique_ptr<Exchange> new_call<DescribeConfigsRequest, DescribeConfigsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
