// BucketCheck: what must hold of a bucket, whoever writes to it: no key is used twice for different bytes; every
// packed object is whole, its footer agrees with its blocks and those with their batches; what the newest checkpoint
// names is there; nothing is deleted that it names; in the end nothing is left that nobody needs.
#pragma once

#include <map>
#include <string>

#include "support/partition_model.h"
#include "support/memory_object_store.h"

namespace topicfs::sim {

class BucketCheck {
 public:
  /// Watches `bucket` until it is destroyed.
  explicit BucketCheck(MemoryBucket& bucket);
  ~BucketCheck();

  /// The first thing that did not hold, once.
  Verdict take_failure() { return std::move(failure_); }
  /// Every object that the newest checkpoint names is there, as it names it.
  Verdict check_references();
  /// After a quiet time with a store that works: each object is one that the newest checkpoint names, or newer, or holds no
  /// data and waits for others like it; and there are no more checkpoints than are kept.
  Verdict check_collected();
  uint64_t objects() const { return objects_; }

 private:
  void on_change(const std::string& key, const MemoryBucket::Bytes& before, const MemoryBucket::Bytes& after);

  MemoryBucket& bucket_;
  Verdict failure_;
  uint64_t objects_ = 0;
};

}  // namespace topicfs::sim
