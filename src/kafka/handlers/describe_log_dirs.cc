// DescribeLogDirs. All partitions share the data directory's log and the store; what is told of each is what it
// retains in both.
#include <sys/statvfs.h>

#include <algorithm>

#include "kafka/handlers/call.h"
#include "kafka/messages/describe_log_dirs.h"

namespace topicfs::kafka {
namespace {

using Topic = DescribeLogDirsResponse::Topic;

void measure(Gateway& gateway, const TopicInfo& topic, int32_t index, Topic& out) {
  if (index < 0 || static_cast<size_t>(index) >= topic.partitions.size()) return;
  auto ends = gateway.engine.ends(topic.partitions[static_cast<size_t>(index)].id);
  if (ends) out.partitions.push_back({index, ends->retained_bytes, 0, false});
}

std::vector<Topic> measure_all(Gateway& gateway) {
  std::vector<Topic> all;
  for (const TopicPtr& topic : gateway.engine.list_topics()) {
    Topic& out = all.emplace_back();
    out.name = topic->name;
    for (size_t i = 0; i < topic->partitions.size(); i++) measure(gateway, *topic, static_cast<int32_t>(i), out);
  }
  return all;
}

/// What does not exist is left out, as in Kafka.
std::vector<Topic> measure_some(Gateway& gateway, const std::vector<DescribeLogDirsRequest::Topic>& wanted) {
  std::vector<Topic> all;
  for (const auto& in : wanted) {
    TopicPtr topic = gateway.engine.find_topic(in.name);
    if (!topic) continue;
    Topic out;
    out.name = in.name;
    for (int32_t index : in.partitions) measure(gateway, *topic, index, out);
    if (!out.partitions.empty()) all.push_back(std::move(out));
  }
  return all;
}

int64_t clamped(uint64_t blocks, uint64_t size) {
  uint64_t most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return static_cast<int64_t>(size > 0 && blocks > most / size ? most : blocks * size);
}

}  // namespace

void handle(Gateway& gateway, CallPtr<DescribeLogDirsRequest, DescribeLogDirsResponse> call) {
  auto& dir = call->response.dirs.emplace_back();
  dir.path = gateway.options.data_dir;
  dir.topics = call->request.topics ? measure_some(gateway, *call->request.topics) : measure_all(gateway);
  struct statvfs space {};
  if (dir.path.empty() || ::statvfs(dir.path.c_str(), &space) != 0) return;
  dir.total_bytes = clamped(space.f_blocks, space.f_frsize);
  dir.usable_bytes = clamped(space.f_bavail, space.f_frsize);
}

template std::unique_ptr<Exchange> new_call<DescribeLogDirsRequest, DescribeLogDirsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
