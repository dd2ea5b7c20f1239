// Collector: deletes from the store what nobody needs any more. That is objects in which nothing lives, and, once in
// each daemon's life, what crashes have left behind: objects that no catalog knows, and old
// checkpoints. Claims of epochs stay: they keep a start from taking an old epoch again when a listing leaves them out.
//
// The order keeps every state of the bucket whole: the control record that let the last record of an object die is
// durable; then a checkpoint that does not name the object is uploaded; then, if no later daemon has claimed the store
// by that time, which might have read an older checkpoint, the object is deleted. A crash in between
// leaves an object too many, which a later daemon finds, and never one too few. Nothing is deleted on partial
// knowledge: a bucket that holds more unknown objects than crashes can explain is left alone, and so is one that a later
// daemon has claimed, to which other objects are dead than to this one.
//
// Objects that never held more than control records are dead once a checkpoint knows them; alone they wait until there
// are StoredObjects::kManyDead, so that a store in which only offsets are committed gets no checkpoint a minute.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "engine/checkpointer.h"
#include "engine/stored_objects.h"

namespace topicfs {

inline constexpr MonotonicTime kCollectDelay = std::chrono::seconds(5);  ///< so that what dies together goes together
inline constexpr MonotonicTime kFirstCollectRetry = std::chrono::seconds(1), kLastCollectRetry = std::chrono::minutes(5);
inline constexpr size_t kDeletesAtOnce = 16;

/// What it works with; all outlive it.
struct CollectorParts {
  ObjectStore& store;
  Executor& executor;
  Clock& clock;
  Random& random;
  StoredObjects& objects;
  Checkpointer& checkpoints;
};

struct CollectorCounters {
  uint64_t deleted = 0, deleted_bytes = 0;  ///< objects
  uint64_t orphans = 0;                     ///< of them those that no catalog knew
  uint64_t failures = 0;
  std::string last_error;                   ///< empty after a success
};

/// Thread-safe. It is a pump: step() begins what is due, its completions go on.
class Collector {
 public:
  Collector(CollectorParts parts, uint64_t epoch) : parts_(parts), epoch_(epoch) {}

  /// After recovery; from here on, what is due is done. `own_epochs`: those of this data directory's daemons, as far as
  /// they are remembered.
  void start(std::vector<uint64_t> own_epochs);
  /// An object may have died.
  void on_dead();
  /// The bucket has a checkpoint of this epoch: what earlier ones have left behind can be told from what lives.
  void on_announced();
  /// Nothing more is begun.
  void stop();
  CollectorCounters counters() const;

 private:
  struct Doomed {
    std::string key;
    uint64_t bytes = 0;
    bool is_object = false;
    std::optional<uint32_t> index;  ///< in the table of objects
  };
  void arm(MonotonicTime wait) REQUIRES(mutex_);
  bool has_work() REQUIRES(mutex_);
  void step();
  void check_epochs(std::vector<uint32_t> dead);
  void doom_dead(const std::vector<uint32_t>& dead);
  void look_for_orphans(std::string prefix);
  void on_not_listed(Error error);
  void on_listed(const std::string& prefix, const std::vector<ListedObject>& listed);
  void doom_objects(const std::vector<ListedObject>& listed) REQUIRES(mutex_);
  void doom_older(const std::vector<ListedObject>& listed, size_t keep, const std::string& below) REQUIRES(mutex_);
  void remove_doomed();
  void send_removals();
  void on_removed(const Doomed& doomed, const Result<void>& removed);
  void let_go();
  void end(const Result<void>& result);

  CollectorParts parts_;
  const uint64_t epoch_;

  mutable Mutex mutex_;
  TimerId timer_ GUARDED_BY(mutex_) = 0;
  EpochAndSequence newest_ GUARDED_BY(mutex_);  // object that was known at the start
  std::vector<uint64_t> own_epochs_ GUARDED_BY(mutex_);
  bool started_ GUARDED_BY(mutex_) = false, stopped_ GUARDED_BY(mutex_) = false;
  bool busy_ GUARDED_BY(mutex_) = false;    // between step() and end()
  bool lost_ GUARDED_BY(mutex_) = false;    // the store is another daemon's
  bool swept_ GUARDED_BY(mutex_) = false;   // looked for what earlier epochs have left
  std::deque<Doomed> doomed_ GUARDED_BY(mutex_);
  size_t removing_ GUARDED_BY(mutex_) = 0;  // requests on their way, and who is about to send more
  Result<void> outcome_ GUARDED_BY(mutex_);
  int failures_in_a_row_ GUARDED_BY(mutex_) = 0;
  CollectorCounters counters_ GUARDED_BY(mutex_);
};

}  // namespace topicfs
