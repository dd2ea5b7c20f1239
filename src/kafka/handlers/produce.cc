// Produce. All appends of a request are submitted before the next request is looked at, and the
// response leaves when the last of them is durable (acks=1 and acks=all alike; there is one replica).
#include <algorithm>

#include "codec/endian.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/produce.h"
#include "record/validate.h"

namespace topicfs::kafka {
namespace {

using ProduceCall = CallPtr<ProduceRequest, ProduceResponse>;

// RecordBatch v2: where the fields stand that matter before the engine sees the batch.
constexpr size_t kLengthAt = 8, kLengthEnd = 12, kMagicAt = 16, kAttributesAt = 21, kBatchHeaderBytes = 61;
constexpr int kCodecMask = 7, kZstd = 4, kTransactional = 0x10;
constexpr int16_t kFirstZstdVersion = 7;

/// Who waited for room so long met a full log, not just the disk's pace: it is asked to pause for as long.
constexpr std::chrono::milliseconds kUsualWait{100}, kMaxThrottle{1000};

void refuse(ProduceResponse::Partition& out, ErrorCode code, std::string_view why) {
  out.error_code = code_of(code);
  out.base_offset = -1;
  if (!why.empty()) out.error_message = why;
}

/// Where the batch that begins at `from` ends by its own account; 0: nowhere in these bytes.
size_t end_of_batch(ByteSpan records, size_t from) {
  if (records.size() - from < kBatchHeaderBytes) return 0;
  auto length = load_be<int32_t>(records.data() + from + kLengthAt);
  if (length < 0 || static_cast<size_t>(length) > records.size() - from - kLengthEnd) return 0;
  return from + kLengthEnd + static_cast<size_t>(length);
}

/// What the gateway can say without the engine; kNone: pass it on.
ErrorCode check_records(const std::optional<ByteSpan>& records, int16_t version) {
  if (!records || records->empty()) return ErrorCode::kInvalidRecord;
  if (records->size() <= kMagicAt) return ErrorCode::kInvalidRecord;
  auto magic = static_cast<int8_t>((*records)[kMagicAt]);
  if (magic == 0 || magic == 1) return ErrorCode::kInvalidRecord;  // MessageSets, from before 0.11
  if (magic != 2) return ErrorCode::kCorruptMessage;
  if (records->size() < kBatchHeaderBytes) return ErrorCode::kInvalidRecord;
  if (load_be<int32_t>(records->data() + kLengthAt) >= 0) {  // the engine has a code of its own for others
    size_t end = end_of_batch(*records, 0);
    if (end == 0 || end_of_batch(*records, end) != 0) return ErrorCode::kInvalidRecord;  // cut off, or two
  }
  int attributes = static_cast<int>((*records)[kAttributesAt + 1]);
  // Without the markers that end transactions, readers could not tell what was committed.
  if (attributes & kTransactional) return ErrorCode::kTransactionalIdAuthorizationFailed;
  int codec = attributes & kCodecMask;
  if (version < kFirstZstdVersion && codec == kZstd) return ErrorCode::kUnsupportedCompressionType;
  if (version < kFirstZstdVersion && codec > kZstd) return ErrorCode::kUnknownServerError;
  return ErrorCode::kNone;
}

std::string_view why_refused(ErrorCode fault) {
  if (fault == ErrorCode::kTransactionalIdAuthorizationFailed) return "transactions are not served";
  if (fault == ErrorCode::kUnsupportedCompressionType) return "zstd needs Produce version 7 or later";
  if (fault == ErrorCode::kUnknownServerError) return "a compression codec that does not exist";
  return "not one record batch of magic 2";
}

/// acks=0: nobody hears of an error except by losing the connection.
void note_error(const ProduceCall& call) {
  if (call->request.acks == 0) call->outcome = Exchange::Outcome::close;
}

bool found_no_room(Errc code) { return code == Errc::kFull || code == Errc::kTimedOut; }

/// Kafka tells the log start with what its log refuses for what it is, not for how large or damaged it is.
bool tells_log_start(int16_t code) {
  for (ErrorCode told : {ErrorCode::kInvalidRecord, ErrorCode::kInvalidTimestamp, ErrorCode::kOutOfOrderSequenceNumber,
                         ErrorCode::kInvalidProducerEpoch, ErrorCode::kUnknownServerError})
    if (code == code_of(told)) return true;
  return false;
}

void settle(Gateway& gateway, const ProduceCall& call, PartitionId id, Result<Appended> appended,
            ProduceResponse::Partition& out) {
  if (!appended) {
    if (found_no_room(appended.error().code)) call->throttle_for(kMaxThrottle);
    for (RecordFault& fault : appended.error().records) out.record_errors.push_back({fault.index, std::move(fault.why)});
    refuse(out, error_code_of(appended.error(), Verb::append), appended.error().what);
    if (auto ends = gateway.engine.ends(id); ends && tells_log_start(out.error_code))
      out.log_start_offset = ends->log_start.v;
    return note_error(call);
  }
  if (appended->waited > kUsualWait) call->throttle_for(std::min(appended->waited, kMaxThrottle));
  out.base_offset = appended->base_offset.v;
  out.log_append_time_ms = appended->log_append_time.count();
  out.log_start_offset = appended->log_start.v;
}

void append(Gateway& gateway, const ProduceCall& call, const TopicPtr& topic,
            const ProduceRequest::Partition& in, ProduceResponse::Partition& out) {
  out.index = in.index;
  if (!topic || in.index < 0 || static_cast<size_t>(in.index) >= topic->partitions.size())
    return refuse(out, ErrorCode::kUnknownTopicOrPartition, {}), note_error(call);
  if (ErrorCode fault = check_records(in.records, call->version()); fault != ErrorCode::kNone)
    return refuse(out, fault, why_refused(fault)), note_error(call);
  PartitionId id = topic->partitions[static_cast<size_t>(in.index)].id;
  gateway.engine.append_batch(id, *in.records, AppendOptions{Ack::durable, Wait::yes},
                              [&gateway, call = ProduceCall(call), id, &out](Result<Appended> appended) mutable {
                                settle(gateway, call, id, std::move(appended), out);
                                call.reset();  // now, not when the engine drops this completion
                              });
}

void refuse_all(const ProduceCall& call, ErrorCode code) {
  for (const auto& topic : call->request.topics) {
    auto& out = call->response.topics.emplace_back();
    out.name = topic.name;
    for (const auto& partition : topic.partitions) {
      auto& p = out.partitions.emplace_back();
      p.index = partition.index;
      refuse(p, code, {});
    }
  }
  if (!call->request.topics.empty()) note_error(call);
}

/// Kafka answers a partition that is named twice once, and takes the last of them.
bool is_named_again(const ProduceRequest::Topic& topic, size_t i) {
  for (size_t later = i + 1; later < topic.partitions.size(); later++)
    if (topic.partitions[later].index == topic.partitions[i].index) return true;
  return false;
}

/// Quadratic search for duplicates stops paying at some size; nobody sends them on purpose.
constexpr size_t kMaxPartitionsSearched = 64;

}  // namespace

void handle(Gateway& gateway, ProduceCall call) {
  const ProduceRequest& request = call->request;
  if (request.acks == 0) call->outcome = Exchange::Outcome::stay_silent;
  if (request.acks < -1 || request.acks > 1) return refuse_all(call, ErrorCode::kInvalidRequiredAcks);
  if (request.transactional_id) return refuse_all(call, ErrorCode::kUnsupportedVersion);

  // Completions keep references into the response: its arrays never move.
  call->response.topics.reserve(request.topics.size());
  for (const ProduceRequest::Topic& in : request.topics) {
    if (in.partitions.empty()) continue;
    ProduceResponse::Topic& out = call->response.topics.emplace_back();
    out.name = in.name;
    out.partitions.reserve(in.partitions.size());
    TopicPtr topic = gateway.engine.find_topic(in.name);
    bool search = in.partitions.size() <= kMaxPartitionsSearched;
    for (size_t p = 0; p < in.partitions.size(); p++)
      if (!search || !is_named_again(in, p))
        append(gateway, call, topic, in.partitions[p], out.partitions.emplace_back());
  }
}

template std::unique_ptr<Exchange> new_call<ProduceRequest, ProduceResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
