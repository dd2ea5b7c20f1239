// Fetch. A request without enough data waits: as an object that durable commits and a timer wake, not
// as a thread. It registers for wake-ups before the look that decides to wait, so none is lost.
// With a session (KIP-227) it looks at all partitions of that, and answers with those that have news.
#include <algorithm>
#include <vector>

#include "base/topic_settings.h"
#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/handlers/leader_epochs.h"
#include "kafka/messages/fetch.h"

namespace topicfs::kafka {
namespace {

using FetchCall = CallPtr<FetchRequest, FetchResponse>;
using In = FetchRequest::Partition;
using Out = FetchResponse::Partition;

constexpr int16_t kFirstZstdVersion = 10, kFirstTopicIdVersion = 13;
constexpr std::chrono::milliseconds kPauseInsteadOfWait{100};
constexpr int8_t kReadUncommitted = 0, kReadCommitted = 1;

void refuse(Out& out, ErrorCode code) {
  out.error_code = code_of(code);
  out.high_watermark = -1, out.last_stable_offset = -1, out.log_start_offset = -1;
  out.records.emplace();
}

void show_ends(Out& out, const PartitionEnds& ends) {
  out.high_watermark = out.last_stable_offset = ends.durable_end.v;
  out.log_start_offset = ends.log_start.v;
}

bool is_sensible(const FetchRequest& request) {
  bool has_level = request.isolation_level == kReadUncommitted || request.isolation_level == kReadCommitted;
  return has_level && request.max_bytes >= 0;
}

/// Kafka answers a partition that is named twice once, and takes the last of them.
bool is_named_again(const FetchRequest::Topic& topic, size_t i) {
  constexpr size_t kMaxPartitionsSearched = 64;  // the search is quadratic; nobody does this on purpose
  if (topic.partitions.size() > kMaxPartitionsSearched) return false;
  for (size_t later = i + 1; later < topic.partitions.size(); later++)
    if (topic.partitions[later].partition == topic.partitions[i].partition) return true;
  return false;
}

/// One request. All its functions run on the connection's thread, except wake() and the completions
/// of reads, which only note what they have and post.
class FetchWait final : public DurableWatch::Waiter, public std::enable_shared_from_this<FetchWait> {
 public:
  FetchWait(Gateway& gateway, FetchCall call, FetchSessions::Use session)
      : gateway_(gateway), call_(std::move(call)), session_(std::move(session)), executor_(call_->sink->executor()) {}

  void start() {
    lay_out();
    const FetchRequest& request = call_->request;
    max_bytes_ = std::clamp(request.max_bytes, 0, gateway_.slow_readers.is_half_used() ? kMaxFetchBytesBesideSlowReaders
                                                                                       : kMaxFetchBytes);
    min_bytes_ = std::min(request.min_bytes, max_bytes_);
    if (request.max_wait_ms <= 0 || min_bytes_ <= 0 || slots_.empty()) answer_now_ = true;
    check_epochs();
  }

  void wake() override {
    if (woken_.exchange(true)) return;
    executor_.post([self = shared_from_this()] { self->on_wake(); });
  }

 private:
  struct Slot {
    const In* in;
    Out* out;
    PartitionId id;
    bool readable = false;
    bool issued = false;
    std::optional<Result<Fetched>> read;
    std::optional<Result<std::vector<EpochStart>>> epochs = {};
  };
  enum class State { reading, parked, done };

  void lay_out() {
    const FetchRequest& request = call_->request;
    auto& topics = call_->response.topics;
    topics.resize(request.topics.size());
    for (size_t t = 0; t < topics.size(); t++) {
      const FetchRequest::Topic& in = request.topics[t];
      topics[t].name = in.name;
      topics[t].topic_id = in.topic_id;
      bool by_id = call_->version() >= kFirstTopicIdVersion;
      TopicPtr topic = by_id ? gateway_.engine.find_topic(in.topic_id) : gateway_.engine.find_topic(in.name);
      ErrorCode missing = by_id ? ErrorCode::kUnknownTopicId : ErrorCode::kUnknownTopicOrPartition;
      topics[t].partitions.reserve(in.partitions.size());  // slots keep references into it
      for (size_t p = 0; p < in.partitions.size(); p++)
        if (!is_named_again(in, p)) add_slot(topic, missing, in.partitions[p], topics[t].partitions.emplace_back());
    }
  }

  void add_slot(const TopicPtr& topic, ErrorCode missing, const In& in, Out& out) {
    out.partition_index = in.partition;
    if (call_->request.isolation_level != kReadCommitted) out.aborted_transactions.reset();
    Slot& slot = slots_.emplace_back(Slot{&in, &out, PartitionId{}, false, false, {}});
    bool exists = topic && in.partition >= 0 && static_cast<size_t>(in.partition) < topic->partitions.size();
    if (!exists) {
      out.aborted_transactions.emplace();
      return fail_slot(slot, topic ? ErrorCode::kUnknownTopicOrPartition : missing);
    }
    if (!is_sensible(call_->request)) return fail_slot(slot, ErrorCode::kInvalidRequest);
    if (cannot_decode(*topic)) return fail_slot(slot, ErrorCode::kUnsupportedCompressionType);
    ErrorCode fenced = check_leader_epoch(in.current_leader_epoch, gateway_.leader_epoch());
    if (fenced != ErrorCode::kNone) return fail_slot(slot, fenced);
    if (in.last_fetched_epoch > gateway_.leader_epoch()) return fail_slot(slot, ErrorCode::kOffsetOutOfRange);
    slot.id = topic->partitions[static_cast<size_t>(in.partition)].id;
    slot.readable = true;
  }

  /// Clients before version 10 know no zstd. As in Kafka, what counts is the topic's setting, not its batches.
  bool cannot_decode(const TopicInfo& topic) const {
    return call_->version() < kFirstZstdVersion && topic_setting(topic.settings, "compression.type") == "zstd";
  }

  void fail_slot(Slot& slot, ErrorCode code) {
    slot.readable = false;
    answer_now_ = true;
    refuse(*slot.out, code);
  }

  /// KIP-320: who has read records of an earlier epoch up to an offset that this epoch did not have, must hear where
  /// it ended. Of the current epoch wanted() knows that; of others the engine is asked, once.
  void check_epochs() {
    outstanding_ = 1;  // this function's own part
    for (Slot& slot : slots_) {
      if (!slot.readable || slot.in->last_fetched_epoch < 0 || slot.in->last_fetched_epoch >= gateway_.leader_epoch()) continue;
      outstanding_++;
      gateway_.engine.leader_epochs(slot.id, [self = shared_from_this(), &slot](Result<std::vector<EpochStart>> epochs) {
        slot.epochs.emplace(std::move(epochs));
        if (--self->outstanding_ == 0) self->executor_.post([self] { self->judge_epochs(); });
      });
    }
    if (--outstanding_ == 0) judge_epochs();
  }

  void judge_epochs() {
    for (Slot& slot : slots_) {
      if (!slot.epochs) continue;
      auto ends = gateway_.engine.ends(slot.id);
      if (!*slot.epochs || !ends) {
        const Error& error = ends ? slot.epochs->error() : ends.error();
        fail_slot(slot, error_code_of(error, Verb::read));
        continue;
      }
      EpochEnd end = end_of_epoch(**slot.epochs, gateway_.leader_epoch(), *ends, slot.in->last_fetched_epoch);
      if (end.epoch < slot.in->last_fetched_epoch || end.end_offset < slot.in->fetch_offset) diverge(slot, *ends, end);
    }
    begin_pass();
  }

  /// What the reader has beyond that end was lost; it truncates to there.
  void diverge(Slot& slot, const PartitionEnds& ends, const EpochEnd& end) {
    show_ends(*slot.out, ends);
    slot.out->diverging_epoch = {end.epoch, end.end_offset};
    slot.readable = false;
    answer_now_ = true;
  }

  /// One look at all partitions, in order. Their reads are issued together as far as their limits
  /// fit into what the response may hold, then the next ones, when it is known what is left.
  void begin_pass() {
    state_ = State::reading;
    woken_ = false;
    total_ = 0;
    next_ = 0;
    issue_window();
  }

  void issue_window() {
    do {
      first_ = next_;
      outstanding_ = 1;  // this function's own part
      size_t planned = 0;
      gateway_.engine.hold_requests();
      for (; next_ < slots_.size(); next_++) {
        Slot& slot = slots_[next_];
        slot.issued = false;
        slot.read.reset();
        size_t limit = wanted(slot, planned);
        if (limit == 0) continue;
        if (planned > 0 && planned + limit > room()) break;
        planned += limit;
        issue(slot, limit);
      }
      gateway_.engine.release_requests();
      if (--outstanding_ > 0) return;  // the last completion continues
    } while (end_window());
  }

  size_t room() const { return max_bytes() > total_ ? max_bytes() - total_ : 0; }
  size_t max_bytes() const { return static_cast<size_t>(max_bytes_); }

  /// How much to read of a partition; 0: nothing, its answer is complete.
  size_t wanted(Slot& slot, size_t planned) {
    if (!slot.readable) return 0;
    auto ends = gateway_.engine.ends(slot.id);
    if (!ends) return fail_slot(slot, error_code_of(ends.error(), Verb::read)), 0;
    Offset from(slot.in->fetch_offset);
    if (slot.in->last_fetched_epoch == gateway_.leader_epoch() && from > ends->durable_end)
      return diverge(slot, *ends, {gateway_.leader_epoch(), ends->durable_end.v}), 0;
    if (from < ends->log_start || from > ends->visible_end)
      return fail_slot(slot, ErrorCode::kOffsetOutOfRange), 0;
    show_ends(*slot.out, *ends);
    slot.out->records.emplace();
    if (from >= ends->durable_end) return 0;
    bool is_first = total_ == 0 && planned == 0;
    size_t limit = std::min(static_cast<size_t>(std::max(slot.in->partition_max_bytes, 0)), room());
    return is_first ? std::max<size_t>(limit, 1) : limit;  // the first one gets a batch whatever the limits
  }

  void issue(Slot& slot, size_t limit) {
    slot.issued = true;
    outstanding_++;
    gateway_.engine.fetch(slot.id, Offset(slot.in->fetch_offset), limit,
                          [self = shared_from_this(), &slot](Result<Fetched> read) {
                            slot.read.emplace(std::move(read));
                            if (--self->outstanding_ > 0) return;
                            self->executor_.post([self] {
                              if (self->end_window()) self->issue_window();
                            });
                          });
  }

  /// True: there are more partitions to look at.
  bool end_window() {
    for (size_t i = first_; i < next_; i++)
      if (slots_[i].issued) take(slots_[i]);
    if (next_ < slots_.size()) return true;
    end_pass();
    return false;
  }

  void take(Slot& slot) {
    if (!*slot.read && slot.read->error().code == Errc::kFull) return leave_out(slot);
    if (!*slot.read) return fail_slot(slot, error_code_of(slot.read->error(), Verb::read));
    Fetched& fetched = **slot.read;
    show_ends(*slot.out, fetched.ends);
    // The engine gives at least one batch; only the first partition with data may exceed the limits.
    size_t limit = std::min(static_cast<size_t>(std::max(slot.in->partition_max_bytes, 0)), room());
    if (total_ == 0 || fetched.batches.size <= limit) {
      total_ += fetched.batches.size;
      slot.out->records = std::move(fetched.batches);
    }
    slot.read.reset();
  }

  /// Other responses, or this one, hold the memory that the engine lends: the client gets what there is and asks again.
  void leave_out(Slot& slot) {
    answer_now_ = true;
    slot.read.reset();
  }

  void end_pass() {
    if (answer_now_ || total_ >= static_cast<size_t>(min_bytes_)) return finish();
    if (!registered_) {
      if (!may_park()) {
        call_->throttle_for(kPauseInsteadOfWait);
        return finish();
      }
      register_interest();
      return executor_.post([self = shared_from_this()] { self->begin_pass(); });
    }
    for (Slot& slot : slots_) slot.out->records.emplace();  // pins are not held while parked
    state_ = State::parked;
    if (woken_) executor_.post([self = shared_from_this()] { self->on_wake(); });
  }

  /// False: it is answered with nothing, because it names a partition again. Each place to wait costs memory and time; with
  /// this a request has no more of them than there are partitions.
  bool may_park() {
    std::vector<PartitionId> ids;
    for (const Slot& slot : slots_) ids.push_back(slot.id);
    std::sort(ids.begin(), ids.end());
    return std::adjacent_find(ids.begin(), ids.end()) == ids.end();
  }

  void register_interest() {
    registered_ = true;
    for (Slot& slot : slots_) gateway_.durable.add(slot.id, shared_from_this());
    call_->on_abandoned = [self = weak_from_this()] {
      if (auto wait = self.lock()) wait->abandon();
    };
    auto deadline = gateway_.clock.now() + std::chrono::milliseconds(call_->request.max_wait_ms);
    timer_ = executor_.at(deadline, [self = shared_from_this()] { self->give_up(); });
  }

  void on_wake() {
    if (state_ == State::parked) begin_pass();
  }

  /// Nobody listens any more.
  void abandon() {
    answer_now_ = true;
    if (state_ == State::parked) finish();
  }

  /// The time is over: answer with what there is.
  void give_up() {
    if (state_ == State::done) return;
    answer_now_ = true;
    if (state_ == State::parked) begin_pass();
  }

  void finish() {
    state_ = State::done;
    if (registered_) {
      for (Slot& slot : slots_) gateway_.durable.remove(slot.id, this);
      executor_.cancel(timer_);
      call_->on_abandoned = nullptr;
    }
    gateway_.sessions.finish(session_, call_->request, call_->version(), call_->response);
    call_.reset();  // the response leaves
  }

  Gateway& gateway_;
  FetchCall call_;
  FetchSessions::Use session_;
  Executor& executor_;
  std::vector<Slot> slots_;
  State state_ = State::reading;
  int32_t max_bytes_ = 0, min_bytes_ = 0;
  bool answer_now_ = false;
  bool registered_ = false;
  TimerId timer_ = 0;
  size_t total_ = 0;                ///< bytes of batches in this pass
  size_t first_ = 0, next_ = 0;     ///< the window: slots [first_, next_)
  std::atomic<size_t> outstanding_ = 0;
  std::atomic<bool> woken_ = false;
};

}  // namespace

void handle(Gateway& gateway, FetchCall call) {
  FetchSessions::Use session = gateway.sessions.use(call->request, call->version());
  if (session.error != ErrorCode::kNone) {
    call->response.error_code = code_of(session.error);
    return;
  }
  call->kept = session.names;
  auto wait = std::make_shared<FetchWait>(gateway, std::move(call), std::move(session));
  wait->start();
}

template std::unique_ptr<Exchange> new_call<FetchRequest, FetchResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
