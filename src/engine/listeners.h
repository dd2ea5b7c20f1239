// Listeners: who is told of changes. Calls run under a shared lock, so that remove() can wait for them; a
// listener therefore must not add or remove one.
#pragma once

#include <algorithm>
#include <shared_mutex>
#include <vector>

#include <topicfs/engine.h>

namespace topicfs {

class Listeners {
 public:
  void add(EngineListener* listener) {
    std::unique_lock l(mutex_);
    all_.push_back(listener);
  }
  void remove(EngineListener* listener) {
    std::unique_lock l(mutex_);
    std::erase(all_, listener);
  }
  template <class F>
  void tell(F f) {
    std::shared_lock l(mutex_);
    for (EngineListener* one : all_) f(*one);
  }

 private:
  std::shared_mutex mutex_;
  std::vector<EngineListener*> all_;
};

}  // namespace topicfs
