#include "kafka/handlers/fetch_sessions.h"

#include <algorithm>
#include <limits>

#include "kafka/messages/fetch.h"

namespace topicfs::kafka {
namespace {

constexpr int16_t kFirstTopicIdVersion = 13;
constexpr int32_t kFullEpoch = 0, kFinalEpoch = -1;

int32_t epoch_after(int32_t epoch) { return epoch == std::numeric_limits<int32_t>::max() ? 1 : epoch + 1; }

template <class Topics>
size_t count_partitions(const Topics& topics) {
  size_t count = 0;
  for (const auto& topic : topics) count += topic.partitions.size();
  return count;
}

}  // namespace

// ---- one session

size_t FetchSession::size() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

FetchSession::Entry& FetchSession::entry(const FetchRequest::Topic& topic, const FetchRequest::Partition& partition) {
  FetchedPartition key{topic.topic_id, std::string(topic.name), partition.partition};
  auto [place, is_new] = places_.try_emplace(key, entries_.end());
  if (is_new) place->second = entries_.insert(entries_.end(), Entry{std::move(key), {}});
  place->second->wanted = partition;
  return *place->second;
}

void FetchSession::forget(const FetchRequest::ForgottenTopic& topic) {
  for (int32_t partition : topic.partitions) {
    auto place = places_.find({topic.topic_id, std::string(topic.name), partition});
    if (place == places_.end()) continue;
    entries_.erase(place->second);
    places_.erase(place);
  }
}

ErrorCode FetchSession::advance(const FetchRequest& request, size_t room) {
  MutexLock lock(mutex_);
  if (request.session_epoch != epoch_) return ErrorCode::kInvalidFetchSessionEpoch;
  const size_t limit = entries_.size() + room;
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions) {
      entry(topic, partition);
      if (entries_.size() > limit) return ErrorCode::kFetchSessionIdNotFound;
    }
  for (const auto& topic : request.forgotten_topics) forget(topic);
  epoch_ = epoch_after(epoch_);
  return ErrorCode::kNone;
}

std::vector<FetchRequest::Topic> FetchSession::partitions(std::vector<std::string>& names) const {
  MutexLock lock(mutex_);
  std::vector<FetchRequest::Topic> topics;
  names.reserve(entries_.size());  // views refer to them
  const FetchedPartition* last = nullptr;
  for (const Entry& e : entries_) {
    if (!last || last->topic_id != e.key.topic_id || last->topic != e.key.topic) {
      std::string_view name;
      if (!by_id_) name = names.emplace_back(e.key.topic);
      topics.push_back({name, e.key.topic_id, {}});
    }
    topics.back().partitions.push_back(e.wanted);
    last = &e.key;
  }
  return topics;
}

void FetchSession::begin(const FetchRequest& request, const FetchResponse& response) {
  MutexLock lock(mutex_);
  for (const auto& topic : request.topics)
    for (const auto& partition : topic.partitions) entry(topic, partition);
  for (const auto& topic : response.topics)
    for (const auto& partition : topic.partitions) has_news(topic, partition);
}

/// Notes what the client is told with it. A partition with an error is news every time, and after it as well.
bool FetchSession::has_news(const FetchResponse::Topic& topic, const FetchResponse::Partition& partition) {
  auto place = places_.find({topic.topic_id, std::string(topic.name), partition.partition_index});
  if (place == places_.end()) return true;  // forgotten in the meantime
  Entry& e = *place->second;
  bool has_records = partition.records && partition.records->size > 0;
  bool has_moved = partition.high_watermark != e.high_watermark || partition.log_start_offset != e.log_start;
  bool is_wrong = partition.error_code != 0 || partition.diverging_epoch.epoch >= 0;
  e.high_watermark = is_wrong ? -1 : partition.high_watermark;
  e.log_start = partition.log_start_offset;
  // Whoever got something goes behind the others, which then have their turn.
  if (has_records) entries_.splice(entries_.end(), entries_, place->second);
  return has_records || has_moved || is_wrong;
}

bool FetchSession::leave_news(int32_t epoch, FetchResponse& response) {
  MutexLock lock(mutex_);
  if (epoch_ != epoch) return false;
  for (auto& topic : response.topics)
    std::erase_if(topic.partitions, [&](const auto& partition) NO_THREAD_SAFETY_ANALYSIS {
      return !has_news(topic, partition);
    });
  std::erase_if(response.topics, [](const auto& topic) { return topic.partitions.empty(); });
  return true;
}

// ---- all of them

// Ids begin where the clock says, so that a gateway that takes another's place does not give the same again.
FetchSessions::FetchSessions(size_t max_sessions, Clock& clock)
    : max_sessions_(max_sessions), clock_(clock), last_id_(static_cast<uint32_t>(clock.wall_now().count())) {}

size_t FetchSessions::sessions() const {
  MutexLock lock(mutex_);
  return slots_.size();
}

size_t FetchSessions::partitions() const {
  MutexLock lock(mutex_);
  return partitions_;
}

void FetchSessions::drop(int32_t id) {
  auto slot = slots_.find(id);
  if (slot == slots_.end()) return;
  partitions_ -= slot->second.partitions;
  slots_.erase(slot);
}

ErrorCode FetchSessions::advance(FetchRequest& request, bool by_id, Use& use) {
  auto found = slots_.find(request.session_id);
  if (found == slots_.end()) return ErrorCode::kFetchSessionIdNotFound;
  Slot& slot = found->second;
  if (slot.session->by_id() != by_id) return ErrorCode::kFetchSessionTopicIdError;
  ErrorCode error = slot.session->advance(request, kMaxPartitions - std::min(partitions_, kMaxPartitions));
  if (error == ErrorCode::kFetchSessionIdNotFound) drop(request.session_id);  // too many partitions
  if (error != ErrorCode::kNone) return error;
  slot.used = clock_.now();
  size_t size = slot.session->size();
  partitions_ += size - slot.partitions;  // may wrap on its way, and comes back
  slot.partitions = size;
  use.session = slot.session;
  use.epoch = epoch_after(request.session_epoch);
  if (size == 0) {  // nothing is left of it: it ends with this answer
    drop(request.session_id);
    use.session.reset();
  }
  return ErrorCode::kNone;
}

FetchSessions::Use FetchSessions::use(FetchRequest& request, int16_t version) {
  Use use;
  if (request.session_epoch == kFullEpoch || request.session_epoch == kFinalEpoch) {
    if (request.session_id != 0) {
      MutexLock lock(mutex_);
      drop(request.session_id);
    }
    use.begins = request.session_epoch == kFullEpoch;
    return use;
  }
  {
    MutexLock lock(mutex_);
    use.error = advance(request, version >= kFirstTopicIdVersion, use);
  }
  if (!use.session) {
    request.topics.clear();
    return use;
  }
  use.names = std::make_shared<std::vector<std::string>>();
  request.topics = use.session->partitions(*use.names);
  return use;
}

/// Whoever has not come for kIdle goes, the longest idle one first.
bool FetchSessions::make_room(size_t partitions) {
  while (slots_.size() >= max_sessions_ || partitions_ + partitions > kMaxPartitions) {
    auto idlest = std::min_element(slots_.begin(), slots_.end(),
                                   [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    if (idlest == slots_.end() || idlest->second.used + kIdle > clock_.now()) return false;
    drop(idlest->first);
  }
  return true;
}

std::shared_ptr<FetchSession> FetchSessions::add(bool by_id, size_t partitions) {
  MutexLock lock(mutex_);
  if (max_sessions_ == 0 || !make_room(partitions)) return nullptr;
  int32_t id = 0;
  while (id == 0 || slots_.contains(id)) id = static_cast<int32_t>(++last_id_ & 0x7fffffff);
  auto session = std::make_shared<FetchSession>(id, by_id);
  slots_[id] = {session, clock_.now(), partitions};
  partitions_ += partitions;
  return session;
}

void FetchSessions::finish(const Use& use, const FetchRequest& request, int16_t version, FetchResponse& response) {
  if (use.begins) {
    auto session = add(version >= kFirstTopicIdVersion, count_partitions(request.topics));
    if (!session) return;
    session->begin(request, response);
    response.session_id = session->id();
  } else if (use.session) {
    if (use.session->leave_news(use.epoch, response)) {
      response.session_id = use.session->id();
      return;
    }
    response.topics.clear();
    response.error_code = code_of(ErrorCode::kInvalidFetchSessionEpoch);
  }
}

}  // namespace topicfs::kafka
