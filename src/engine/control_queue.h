// ControlQueue: changes of metadata, one after another. A change is decided on what the one before has made,
// becomes a record of the internal partition, and takes effect when the record is durable.
#pragma once

#include <deque>

#include "base/mutex.h"
#include "engine/append_path.h"
#include "metadata/control_records.h"

namespace topicfs {

inline constexpr size_t kMaxQueuedChanges = 100'000;

/// On whose behalf something changes.
enum class By {
  user,
  engine,  ///< what an orderly end needs too, and what makes room in a full log
};

/// Thread-safe.
class ControlQueue {
 public:
  /// Makes a durable record, which has this offset in the internal partition, take effect.
  using Apply = UniqueFunction<void(const ControlRecord&, Offset)>;
  /// Decides on a record, or says why not. No record and no error: there is nothing to write.
  using Decide = UniqueFunction<Result<std::optional<ControlRecord>>()>;
  /// The same, of records that become durable together and take effect in their order.
  using DecideAll = UniqueFunction<Result<std::vector<ControlRecord>>()>;

  ControlQueue(AppendPath& appends, Apply apply) : appends_(appends), apply_(std::move(apply)) {}
  void set_partition(Partition* control) { control_ = control; }

  /// `decide` runs when every change before has taken effect, `done` when this one has, or was refused: kFull, kClosed,
  /// what `decide` says, what becomes of the append.
  void change(Decide decide, Completion<void> done, By by = By::user);
  void change_all(DecideAll decide, Completion<void> done, By by = By::user);
  /// Users change nothing from now on. `done` when what they had asked for before has taken effect, or was refused.
  void close(Task done);

 private:
  struct Change {
    DecideAll decide;
    Completion<void> done;
    By by;
  };
  bool enqueue(DecideAll decide, Completion<void> done, By by) REQUIRES(mutex_);
  void run();
  /// True if the change ended at once; otherwise run() goes on when it is durable.
  bool step(std::shared_ptr<Change> change);

  AppendPath& appends_;
  Apply apply_;
  Partition* control_ = nullptr;
  Mutex mutex_;
  std::deque<std::shared_ptr<Change>> queue_ GUARDED_BY(mutex_);
  bool running_ GUARDED_BY(mutex_) = false, closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace topicfs
