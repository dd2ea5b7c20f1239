// Notifier: tells the kernel what changed behind its back. Never from a request's own thread: a
// notification may wait for a lock that a request holds.
//
//   topic-inval   takes the names of deleted topics from the kernel
//   topic-touch   wakes inotify watchers of partitions that grew through the other door, by setting
//                 the file's modification time through the mount, coalesced; the mount itself
//                 ignores these touches. Appends through the mount need none: write(2) tells inotify.
#pragma once

#include <topicfs/engine.h>

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_executor.h"
#include "fuse/lowlevel_ops.h"
#include "fuse/session.h"

namespace topicfs::fuse {

/// A watcher hears of an append at the latest so long after it, unless touching takes its share.
inline constexpr auto kTouchDelay = std::chrono::milliseconds(2);
/// Touches take at most one part in so many of one processor's time.
inline constexpr int kTouchShare = 5;

class Notifier final : public EngineListener {
 public:
  Notifier(Engine& engine, LowLevel& low_level, Session& session, std::string mountpoint);
  /// Waits for what has begun; before the session stops, so that it can end.
  ~Notifier() override;

  void on_visible(PartitionId partition) override EXCLUDES(mutex_);
  void on_topic_deleted(const TopicPtr& topic) override;

 private:
  void touch_grown() EXCLUDES(mutex_);
  void touch(Node& node);

  Engine& engine_;
  LowLevel& low_level_;
  Session& session_;
  const std::string mountpoint_;
  Mutex mutex_;
  std::vector<std::shared_ptr<Node>> grown_ GUARDED_BY(mutex_);
  bool scheduled_ GUARDED_BY(mutex_) = false;
  MonotonicTime not_before_ GUARDED_BY(mutex_){0};
  // Last, so that their threads end first.
  ThreadExecutor invalidator_;
  ThreadExecutor toucher_;
};

}  // namespace topicfs::fuse
