// ListOffsets. Every record that Kafka readers see is stable: there are no transactions.
#include <set>

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/handlers/leader_epochs.h"
#include "kafka/messages/list_offsets.h"

namespace topicfs::kafka {
namespace {

using OffsetsCall = CallPtr<ListOffsetsRequest, ListOffsetsResponse>;
using In = ListOffsetsRequest::Partition;
using Out = ListOffsetsResponse::Partition;

// Timestamps that ask for a place, and the version that introduced each.
constexpr int64_t kLatest = -1, kEarliest = -2, kMaxTimestamp = -3, kEarliestLocal = -4, kLatestTiered = -5;
constexpr int8_t kReadUncommitted = 0, kReadCommitted = 1;
constexpr int16_t kMaxTimestampVersion = 7, kEarliestLocalVersion = 8, kLatestTieredVersion = 9;

void refuse(Out& out, ErrorCode code) { out.error_code = code_of(code); }

void found(Out& out, int64_t offset, int64_t timestamp, int32_t leader_epoch) {
  out.offset = offset;
  out.timestamp = timestamp;
  out.leader_epoch = leader_epoch;
}

void search(Gateway& gateway, const OffsetsCall& call, PartitionId id, int64_t timestamp, Out& out) {
  gateway.engine.find_timestamp(id, timestamp, [call, &out](Result<TimestampedOffset> record) {
    if (!record) return refuse(out, error_code_of(record.error(), Verb::read));
    if (record->offset.v >= 0) found(out, record->offset.v, record->timestamp, record->leader_epoch);
  });
}

void find_start(Gateway& gateway, const OffsetsCall& call, PartitionId id, Offset start, Out& out) {
  gateway.engine.leader_epochs(id, [&gateway, call, start, &out](Result<std::vector<EpochStart>> epochs) {
    if (!epochs) return refuse(out, error_code_of(epochs.error(), Verb::read));
    found(out, start.v, -1, epoch_at(*epochs, gateway.leader_epoch(), start));
  });
}

bool is_known(int64_t timestamp, int16_t version) {
  if (timestamp >= kEarliest) return true;
  if (timestamp == kMaxTimestamp) return version >= kMaxTimestampVersion;
  if (timestamp == kEarliestLocal) return version >= kEarliestLocalVersion;
  return timestamp == kLatestTiered && version >= kLatestTieredVersion;
}

void answer(Gateway& gateway, const OffsetsCall& call, const TopicPtr& topic, const In& in, Out& out) {
  if (!topic || in.partition_index < 0 || static_cast<size_t>(in.partition_index) >= topic->partitions.size())
    return refuse(out, ErrorCode::kUnknownTopicOrPartition);
  int8_t level = call->request.isolation_level;
  if (level != kReadUncommitted && level != kReadCommitted) return refuse(out, ErrorCode::kInvalidRequest);
  if (!is_known(in.timestamp, call->version())) return refuse(out, ErrorCode::kUnsupportedVersion);
  ErrorCode fenced = check_leader_epoch(in.current_leader_epoch, gateway.leader_epoch());
  if (fenced != ErrorCode::kNone) return refuse(out, fenced);
  PartitionId id = topic->partitions[static_cast<size_t>(in.partition_index)].id;
  if (in.timestamp >= 0) return search(gateway, call, id, in.timestamp, out);
  if (in.timestamp == kMaxTimestamp) return search(gateway, call, id, Engine::kMaxTimestamp, out);
  if (in.timestamp == kLatestTiered) return;  // nothing is tiered, to Kafka's eyes
  auto ends = gateway.engine.ends(id);
  if (!ends) return refuse(out, error_code_of(ends.error(), Verb::read));
  if (in.timestamp == kLatest) return found(out, ends->durable_end.v, -1, gateway.leader_epoch());
  find_start(gateway, call, id, ends->log_start, out);
}

}  // namespace

void handle(Gateway& gateway, OffsetsCall call) {
  auto& topics = call->response.topics;
  topics.resize(call->request.topics.size());
  for (size_t t = 0; t < topics.size(); t++) {
    const auto& in = call->request.topics[t];
    topics[t].name = in.name;
    topics[t].partitions.reserve(in.partitions.size());  // completions keep references into it
    TopicPtr topic = gateway.engine.find_topic(in.name);
    std::multiset<int32_t> named;
    for (const In& p : in.partitions) named.insert(p.partition_index);
    for (const In& p : in.partitions) {
      size_t times = named.erase(p.partition_index);
      if (times == 0) continue;  // answered already
      Out& out = topics[t].partitions.emplace_back();
      out.partition_index = p.partition_index;
      if (times > 1) refuse(out, ErrorCode::kInvalidRequest);
      else answer(gateway, call, topic, p, out);
    }
  }
}

template std::unique_ptr<Exchange> new_call<ListOffsetsRequest, ListOffsetsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
