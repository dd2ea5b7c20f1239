#include "kafka/handlers/durable_watch.h"

#include <algorithm>

#include <topicfs/catalog.h>

namespace topicfs::kafka {

void DurableWatch::add(PartitionId partition, const std::shared_ptr<Waiter>& waiter) {
  MutexLock lock(mutex_);
  waiters_[partition].push_back(waiter);
}

void DurableWatch::remove(PartitionId partition, const Waiter* waiter) {
  MutexLock lock(mutex_);
  auto found = waiters_.find(partition);
  if (found == waiters_.end()) return;
  auto& list = found->second;
  auto at = std::find_if(list.begin(), list.end(), [&](const auto& w) { return w.get() == waiter; });
  if (at != list.end()) list.erase(at);
  if (list.empty()) waiters_.erase(found);
}

void DurableWatch::on_durable(std::span<const PartitionId> partitions) {
  MutexLock lock(mutex_);
  if (waiters_.empty()) return;
  for (PartitionId partition : partitions) wake(partition);
}

void DurableWatch::on_topic_deleted(const TopicPtr& topic) {
  MutexLock lock(mutex_);
  for (const PartitionInfo& partition : topic->partitions) wake(partition.id);
}

void DurableWatch::wake(PartitionId partition) {
  auto found = waiters_.find(partition);
  if (found == waiters_.end()) return;
  for (auto& waiter : found->second) waiter->wake();
}

}  // namespace topicfs::kafka
