// DurableWatch: wakes parked fetches when partitions get new durable data. A waiter registers first
// and looks at the partition afterwards, so that no append can fall between the two.
#pragma once

#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include <topicfs/engine.h>

#include "base/mutex.h"

namespace topicfs::kafka {

class DurableWatch final : public EngineListener {
 public:
  class Waiter {
   public:
    virtual ~Waiter() = default;
    /// Something may have changed. Any thread; called under the watch's lock, so it only posts.
    virtual void wake() = 0;
  };

  /// Thread-safe. `waiter` is shared between the watch and its owner until it is removed.
  void add(PartitionId partition, const std::shared_ptr<Waiter>& waiter);
  void remove(PartitionId partition, const Waiter* waiter);

  void on_durable(std::span<const PartitionId> partitions) override;
  void on_topic_deleted(const TopicPtr& topic) override;

 private:
  void wake(PartitionId partition) REQUIRES(mutex_);

  Mutex mutex_;
  std::unordered_map<PartitionId, std::vector<std::shared_ptr<Waiter>>> waiters_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::kafka
