#include "ipc/client_parts.h"

namespace topicfs::ipc {

// ---- CatalogMirror

void CatalogMirror::put(TopicPtr topic) {
  MutexLock lock(mutex_);
  // A deleted topic's name may have come back before we heard of the deletion.
  if (auto old = by_name_.find(topic->name); old != by_name_.end() && old->second->id != topic->id)
    by_name_.erase(old);
  for (size_t i = 0; i < topic->partitions.size(); ++i)
    partitions_[topic->partitions[i].id] = {topic->id, static_cast<int32_t>(i)};
  by_number_[topic->number] = topic;
  by_name_[topic->name] = topic;
  by_id_[topic->id] = std::move(topic);
}

TopicPtr CatalogMirror::remove(const Uuid& id) {
  MutexLock lock(mutex_);
  auto found = by_id_.find(id);
  if (found == by_id_.end()) return nullptr;
  auto topic = std::move(found->second);
  by_id_.erase(found);
  by_number_.erase(topic->number);
  if (auto named = by_name_.find(topic->name); named != by_name_.end() && named->second->id == id)
    by_name_.erase(named);
  for (auto& partition : topic->partitions) partitions_.erase(partition.id);
  return topic;
}

TopicPtr CatalogMirror::find(std::string_view name) {
  MutexLock lock(mutex_);
  auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

TopicPtr CatalogMirror::find(const Uuid& id) {
  MutexLock lock(mutex_);
  auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

TopicPtr CatalogMirror::find(TopicNumber number) {
  MutexLock lock(mutex_);
  auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : found->second;
}

std::optional<PartitionPlace> CatalogMirror::find(PartitionId id) {
  MutexLock lock(mutex_);
  auto found = partitions_.find(id);
  if (found == partitions_.end()) return std::nullopt;
  return PartitionPlace{by_id_.at(found->second.first), found->second.second};
}

std::vector<TopicPtr> CatalogMirror::list() {
  MutexLock lock(mutex_);
  std::vector<TopicPtr> all;
  all.reserve(by_name_.size());
  for (auto& [name, topic] : by_name_) all.push_back(topic);
  return all;
}

// ---- CallTable

void end_with(Waiter waiter, const Error& error) {
  std::visit(
      [&](auto& done) {
        if constexpr (!std::is_same_v<decltype(done), std::monostate&>) done(tl::unexpected<Error>(error));
      },
      waiter);
}

uint64_t CallTable::begin(Waiter& waiter, Pin arena_owner) {
  MutexLock lock(mutex_);
  if (ended_ || (free_.empty() && calls_.size() >= kMaxCalls)) return 0;
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(calls_.size()));
    calls_.emplace_back();
  }
  auto slot = free_.back();
  free_.pop_back();
  auto& call = calls_[slot];
  call.waiter = std::move(waiter);
  call.arena_owner = std::move(arena_owner);
  return (uint64_t{++call.uses} << 32) | slot;
}

CallTable::Call* CallTable::find(uint64_t request) {
  auto slot = static_cast<uint32_t>(request);
  if (slot >= calls_.size() || calls_[slot].uses != request >> 32) return nullptr;
  return std::holds_alternative<std::monostate>(calls_[slot].waiter) ? nullptr : &calls_[slot];
}

void CallTable::keep(uint64_t request, Pin arena_owner) {
  MutexLock lock(mutex_);
  if (auto* call = find(request)) call->arena_owner.swap(arena_owner);
}

Waiter CallTable::end(uint64_t request) {
  Pin dropped;  // let go after the lock: that may call anything
  MutexLock lock(mutex_);
  auto* call = find(request);
  if (!call) return {};
  Waiter waiter = std::exchange(call->waiter, std::monostate{});
  dropped = std::move(call->arena_owner);
  free_.push_back(static_cast<uint32_t>(request));
  lock.unlock();
  return waiter;
}

std::vector<Waiter> CallTable::end_all() {
  std::vector<Call> calls;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    calls.swap(calls_);
    free_.clear();
  }
  std::vector<Waiter> waiters;
  for (auto& call : calls)
    if (!std::holds_alternative<std::monostate>(call.waiter)) waiters.push_back(std::move(call.waiter));
  return waiters;
}

// ---- PinReturns

Pin PinReturns::make(uint64_t pin, std::shared_ptr<const void> memory) {
  {
    MutexLock lock(mutex_);
    ++held_;
  }
  const void* any = memory.get();
  return Pin(any, [self = shared_from_this(), pin, kept = std::move(memory)](const void*) { self->give_back(pin); });
}

void PinReturns::give_back(uint64_t pin) {
  MutexLock lock(mutex_);
  --held_;
  returned_.push_back(pin);
  if (returned_.size() % kManyReturns == 0) wake_->signal();
}

std::vector<uint64_t> PinReturns::take() {
  MutexLock lock(mutex_);
  return std::exchange(returned_, {});
}

size_t PinReturns::held() {
  MutexLock lock(mutex_);
  return held_;
}

}  // namespace topicfs::ipc
