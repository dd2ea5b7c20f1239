// Retention: has log starts moved past records that are too old (retention.ms) or too many (retention.bytes) for their
// topic, wherever these records are. It moves by whole units, as Kafka does by segments: what one object holds of a
// partition, and in the log a batch. A unit is too old when its newest record is; it is too many when what is left
// without it is still retention.bytes.
//
// It is a pump: step() does what is due, and says when to come back. Without a limit, or without data, there is no timer.
#pragma once

#include <atomic>
#include <memory>

#include "base/clock.h"
#include "base/mutex.h"
#include "engine/catalog.h"

namespace topicfs {

inline constexpr MonotonicTime kRetentionLeastWait = std::chrono::seconds(1);
inline constexpr MonotonicTime kRetentionMostWait = std::chrono::hours(1);   ///< the wall clock may have been set
inline constexpr MonotonicTime kRetentionSizeWait = std::chrono::seconds(5);  ///< after an append, before sizes count
inline constexpr MonotonicTime kRetentionRetry = std::chrono::seconds(30);
/// Records outlive retention.ms by this part of it, at most a minute, so that many go together.
inline constexpr int64_t kRetentionSlack = 100;

/// Thread-safe.
class Retention {
 public:
  /// Makes the moves durable, and has them take effect.
  using Move = UniqueFunction<void(std::vector<LogStart>, Completion<void>)>;

  /// All of them outlive it.
  Retention(Catalog& catalog, Executor& executor, Clock& clock, Move move);

  void start();
  /// Some topic's limits may have changed.
  void on_settings();
  /// More has become durable.
  void on_data();
  /// Nothing more is begun.
  void stop();
  uint64_t moves() const { return moves_.load(); }

 private:
  void arm(MonotonicTime when) REQUIRES(mutex_);
  void step();

  Catalog& catalog_;
  Executor& executor_;
  Clock& clock_;
  Move move_;
  std::atomic<bool> limits_{false}, data_seen_{false};  // so that on_data costs appends nothing
  std::atomic<uint64_t> moves_{0};

  Mutex mutex_;
  bool running_ GUARDED_BY(mutex_) = false;  // started and not stopped
  bool busy_ GUARDED_BY(mutex_) = false;     // moves are on their way
  TimerId timer_ GUARDED_BY(mutex_) = 0;
  MonotonicTime when_ GUARDED_BY(mutex_){0};
};

}  // namespace topicfs
