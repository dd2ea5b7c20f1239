// Fetch sessions (KIP-227): a client names its partitions once, and from then on only what changes; it is answered
// with the partitions that have news. What a session remembers is bounded: in sessions, and in partitions of all of
// them. A client that gets none fetches as if there were no sessions.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "kafka/messages/fetch.h"
#include "kafka/wire/error_code.h"

namespace topicfs::kafka {

/// A partition as the client knows it: by its topic's id, or by its name in requests before version 13.
struct FetchedPartition {
  Uuid topic_id;
  std::string topic;
  int32_t partition = 0;
  friend bool operator==(const FetchedPartition&, const FetchedPartition&) = default;
};

}  // namespace topicfs::kafka

template <>
struct std::hash<topicfs::kafka::FetchedPartition> {
  size_t operator()(const topicfs::kafka::FetchedPartition& p) const noexcept {
    return (std::hash<topicfs::Uuid>{}(p.topic_id) ^ std::hash<std::string>{}(p.topic)) * 31 +
           static_cast<size_t>(p.partition);
  }
};

namespace topicfs::kafka {

/// What one client fetches. Requests of one session may come at the same time, from several connections.
class FetchSession {
 public:
  FetchSession(int32_t id, bool by_id) : id_(id), by_id_(by_id) {}

  int32_t id() const { return id_; }
  bool by_id() const { return by_id_; }
  size_t size() const;

  /// Takes the request's changes in, if its epoch is the one that comes next: kNone, or
  /// kInvalidFetchSessionEpoch. `room` bounds the partitions that may be added: kFetchSessionIdNotFound beyond it.
  ErrorCode advance(const FetchRequest& request, size_t room);
  /// All partitions, those first that have waited longest. The names stand in `names`.
  std::vector<FetchRequest::Topic> partitions(std::vector<std::string>& names) const;

  /// A first, full request and what it was answered.
  void begin(const FetchRequest& request, const FetchResponse& response);
  /// Leaves those partitions in `response` that have news: records, an error, or another end. False if another
  /// request of the session has come in between: its answer would not be the next one.
  bool leave_news(int32_t epoch, FetchResponse& response);

 private:
  struct Entry {
    FetchedPartition key;
    FetchRequest::Partition wanted;
    int64_t high_watermark = -1, log_start = -1;  ///< as last answered
  };
  using Entries = std::list<Entry>;

  Entry& entry(const FetchRequest::Topic& topic, const FetchRequest::Partition& partition) REQUIRES(mutex_);
  void forget(const FetchRequest::ForgottenTopic& topic) REQUIRES(mutex_);
  bool has_news(const FetchResponse::Topic& topic, const FetchResponse::Partition& partition) REQUIRES(mutex_);

  const int32_t id_;
  const bool by_id_;  ///< topics by id, not by name
  mutable Mutex mutex_;
  int32_t epoch_ GUARDED_BY(mutex_) = 1;  ///< of the next request
  Entries entries_ GUARDED_BY(mutex_);    ///< in the order in which they are served
  std::unordered_map<FetchedPartition, Entries::iterator> places_ GUARDED_BY(mutex_);
};

/// Thread-safe.
class FetchSessions {
 public:
  /// A session that was not used for so long makes room for a new one.
  static constexpr std::chrono::minutes kIdle{2};
  static constexpr size_t kMaxPartitions = 250'000;  ///< of all sessions together

  /// `max_sessions` 0: none are given. The clock outlives this.
  FetchSessions(size_t max_sessions, Clock& clock);

  /// What a request is to its session.
  struct Use {
    ErrorCode error = ErrorCode::kNone;      ///< answer with this alone
    std::shared_ptr<FetchSession> session;   ///< of an incremental request
    int32_t epoch = 0;                       ///< of that
    bool begins = false;                     ///< a full request that would like a session
    /// Names of topics that the response views.
    std::shared_ptr<std::vector<std::string>> names;
  };
  /// Replaces the request's partitions, if it is incremental, with all those of its session.
  Use use(FetchRequest& request, int16_t version);
  /// Before the response leaves: sets its session, and leaves out what is no news.
  void finish(const Use& use, const FetchRequest& request, int16_t version, FetchResponse& response);

  size_t sessions() const;
  size_t partitions() const;

 private:
  struct Slot {
    std::shared_ptr<FetchSession> session;  // shared with the requests that use it
    MonotonicTime used;
    size_t partitions = 0;  ///< as counted in partitions_
  };
  ErrorCode advance(FetchRequest& request, bool by_id, Use& use) REQUIRES(mutex_);
  void drop(int32_t id) REQUIRES(mutex_);
  bool make_room(size_t partitions) REQUIRES(mutex_);
  std::shared_ptr<FetchSession> add(bool by_id, size_t partitions);

  const size_t max_sessions_;
  Clock& clock_;
  mutable Mutex mutex_;  // before that of a session
  std::unordered_map<int32_t, Slot> slots_ GUARDED_BY(mutex_);
  size_t partitions_ GUARDED_BY(mutex_) = 0;
  uint32_t last_id_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::kafka
