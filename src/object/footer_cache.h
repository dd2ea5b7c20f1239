// FooterCache: the indexes of objects, kept in bounded memory. A footer that is not here costs one
// GET of the object's last kTailBytes, and one more of exactly the footer if it is larger.
#pragma once

#include <memory>
#include <string>

#include "object/format.h"
#include "object/object_store.h"

namespace topicfs {

/// Shared by the cache and the reads that use it.
using FooterPtr = std::shared_ptr<const Footer>;

struct CacheCounters {
  uint64_t hits = 0, misses = 0;     ///< a look-up that waits for another's load is a hit
  uint64_t evictions = 0, failures = 0;
  uint64_t bytes = 0, entries = 0;   ///< now
};

/// Thread-safe.
class FooterCache {
 public:
  /// More look-ups than this that wait for the store get kFull.
  static constexpr size_t kMaxWaiting = 4096;

  /// `store` outlives the cache. The footer used last stays even if it is larger than `max_bytes`.
  FooterCache(ObjectStore& store, size_t max_bytes);
  /// Look-ups that wait are answered kClosed.
  ~FooterCache();

  /// The footer of the object `key`; before `find` returns if it is here. The store's errors,
  /// kNotFound, kCorrupt, kUnsupported (format version), kFull.
  void find(const std::string& key, Completion<FooterPtr> done);
  /// Of an object that has just been put: its first read costs no request.
  void insert(const std::string& key, FooterPtr footer);
  /// Of an object that is removed.
  void forget(const std::string& key);

  CacheCounters counters() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the loads in flight, which may outlive the cache
};

}  // namespace topicfs
