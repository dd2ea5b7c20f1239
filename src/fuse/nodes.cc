#include "fuse/nodes.h"

#include <algorithm>

#include "base/atomics.h"

namespace topicfs::fuse {

thread_local PartitionId OwnAppend::current_{0};

void Node::note_own_append(TextPosition end) {
  raise_to(own_end, end.v, std::memory_order_release);
}

std::shared_ptr<Node> Nodes::remember(PartitionId id) {
  Shard& s = shard(id);
  MutexLock lock(s.mutex);
  Known& known = s.known[id];
  if (!known.node) known.node = std::make_shared<Node>(id);
  known.lookups++;
  return known.node;
}

void Nodes::forget(PartitionId id, uint64_t lookups) {
  Shard& s = shard(id);
  MutexLock lock(s.mutex);
  auto found = s.known.find(id);
  if (found == s.known.end()) return;
  found->second.lookups -= std::min(lookups, found->second.lookups);
  if (found->second.lookups == 0) s.known.erase(found);
}

std::shared_ptr<Node> Nodes::find(PartitionId id) const {
  const Shard& s = shard(id);
  MutexLock lock(s.mutex);
  auto found = s.known.find(id);
  return found == s.known.end() ? nullptr : found->second.node;
}

}  // namespace topicfs::fuse
