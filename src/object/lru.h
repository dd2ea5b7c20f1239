// Lru: values by key, bounded by the sum of their sizes; the ones used longest ago go first. The
// one used last always stays. Not thread-safe.
#pragma once

#include <list>
#include <map>
#include <utility>

#include "base/check.h"

namespace topicfs {

template <class Key, class Value>
class Lru {
 public:
  explicit Lru(size_t max_bytes) : max_bytes_(max_bytes) {}

  /// nullptr if it is not here.
  Value* find(const Key& key) {
    auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->value;
  }
  /// The one used longest ago; nullptr if there is none.
  Value* oldest() { return entries_.empty() ? nullptr : &entries_.back().value; }
  void erase_oldest() { erase(Key(entries_.back().key)); }
  bool contains(const Key& key) const { return places_.count(key) > 0; }

  /// Replaces what was there. Answers how many entries had to go; `evicted` sees the value of each.
  template <class Evicted>
  size_t insert(const Key& key, Value value, size_t size_bytes, Evicted evicted) {
    erase(key);
    entries_.push_front({key, std::move(value), size_bytes});
    places_.emplace(key, entries_.begin());
    bytes_ += size_bytes;
    size_t count = 0;
    for (; bytes_ > max_bytes_ && entries_.size() > 1; count++) {
      evicted(std::as_const(entries_.back().value));
      erase_oldest();
    }
    return count;
  }
  size_t insert(const Key& key, Value value, size_t size_bytes) {
    return insert(key, std::move(value), size_bytes, [](const Value&) {});
  }
  void erase(const Key& key) {
    auto found = places_.find(key);
    if (found == places_.end()) return;
    bytes_ -= found->second->size_bytes;
    entries_.erase(found->second);
    places_.erase(found);
  }
  /// Every entry from `from` to before `to`, in the order of keys.
  void erase_range(const Key& from, const Key& to) {
    for (auto at = places_.lower_bound(from); at != places_.end() && at->first < to;) {
      bytes_ -= at->second->size_bytes;
      entries_.erase(at->second);
      at = places_.erase(at);
    }
  }
  size_t bytes() const { return bytes_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Key key;
    Value value;
    size_t size_bytes;
  };
  const size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // the one used last in front
  std::map<Key, typename std::list<Entry>::iterator> places_;
};

}  // namespace topicfs
