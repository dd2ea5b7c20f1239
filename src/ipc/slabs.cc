#include "ipc/slabs.h"

#include <algorithm>

namespace topicfs::ipc {

std::shared_ptr<Slabs> Slabs::create(MutableByteSpan memory, std::shared_ptr<const void> keeper) {
  return std::shared_ptr<Slabs>(new Slabs(memory, std::move(keeper)));
}

Slabs::Slabs(MutableByteSpan memory, std::shared_ptr<const void> keeper)
    : memory_(memory),
      keeper_(std::move(keeper)),
      first_of_(memory.size() / kSlabBytes, kFree),
      runs_(first_of_.size()),
      free_(static_cast<uint32_t>(first_of_.size())) {}

std::optional<uint32_t> Slabs::find_run(uint32_t count) {
  if (count > free_) return std::nullopt;
  auto slabs = static_cast<uint32_t>(first_of_.size());
  bool seen_free = false;
  for (uint32_t first = lowest_free_, at = first; at < slabs;) {
    if (first_of_[at] != kFree) {
      at = first = at + std::max(1u, runs_[first_of_[at]].slabs);  // runs are met at their first slab
      continue;
    }
    if (!std::exchange(seen_free, true)) lowest_free_ = at;
    if (++at - first == count) return first;
  }
  return std::nullopt;
}

SlabBuffer Slabs::allocate(size_t size, Task when_room) {
  auto count = static_cast<uint32_t>((std::max<size_t>(size, 1) + kSlabBytes - 1) / kSlabBytes);
  MutexLock lock(mutex_);
  auto first = find_run(count);
  if (!first) {
    if (when_room) waiting_.push_back(std::move(when_room));
    return {};
  }
  std::fill_n(first_of_.begin() + *first, count, *first);
  free_ -= count;
  auto bytes = memory_.subspan(*first * kSlabBytes, size);
  Pin owner(bytes.data(), [self = shared_from_this(), run = *first](const void*) { self->release(run); });
  runs_[*first] = {count, owner};
  return {bytes, std::move(owner)};
}

Pin Slabs::owner_of(ByteSpan piece) {
  auto at = reinterpret_cast<uintptr_t>(piece.data()) - reinterpret_cast<uintptr_t>(memory_.data());
  if (at >= memory_.size() || piece.size() > memory_.size() - at) return nullptr;
  MutexLock lock(mutex_);
  auto first = first_of_[at / kSlabBytes];
  if (first == kFree || at + piece.size() > (first + runs_[first].slabs) * kSlabBytes) return nullptr;
  return runs_[first].owner.lock();
}

size_t Slabs::free_bytes() {
  MutexLock lock(mutex_);
  return free_ * kSlabBytes;
}

void Slabs::release(uint32_t first) {
  std::deque<Task> ask_again;
  // Even a weak pointer keeps the owner's deleter, and that keeps us: a ring, if it stayed.
  std::weak_ptr<const void> owner;
  {
    MutexLock lock(mutex_);
    auto& run = runs_[first];
    owner.swap(run.owner);
    std::fill_n(first_of_.begin() + first, run.slabs, kFree);
    free_ += run.slabs;
    run.slabs = 0;
    lowest_free_ = std::min(lowest_free_, first);
    ask_again.swap(waiting_);
  }
  for (auto& task : ask_again) task();
}

}  // namespace topicfs::ipc
