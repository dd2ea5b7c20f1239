#include "object/footer_cache.h"

#include <map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "object/lru.h"

namespace topicfs {

struct FooterCache::State : std::enable_shared_from_this<FooterCache::State> {
  State(ObjectStore& s, size_t max_bytes) : store(s), footers(max_bytes) {}

  ObjectStore& store;
  mutable Mutex mutex;
  Lru<std::string, FooterPtr> footers GUARDED_BY(mutex);
  std::map<std::string, std::vector<Completion<FooterPtr>>> loading GUARDED_BY(mutex);
  size_t waiting GUARDED_BY(mutex) = 0;
  bool closed GUARDED_BY(mutex) = false;
  CacheCounters counters GUARDED_BY(mutex);

  // What the store answers after the cache is gone reaches nobody: its waiters have their answer.
  // The store itself may be going then, so it is not asked again.

  void load(const std::string& key) {
    store.get_tail(key, kTailBytes, [weak = weak_from_this(), key](Result<ObjectBytes> tail) {
      if (auto self = weak.lock()) self->on_tail(key, std::move(tail));
    });
  }

  void on_tail(const std::string& key, Result<ObjectBytes> tail) {
    if (!tail) return finish(key, tl::unexpected<Error>(std::move(tail).error()));
    ByteSpan bytes(tail->bytes);
    if (bytes.size() < kTrailerBytes) return finish(key, fail(Errc::kCorrupt, "it is too short for an object"));
    auto trailer = Trailer::parse(bytes.last(kTrailerBytes), tail->object_size);
    if (!trailer) return finish(key, tl::unexpected<Error>(std::move(trailer).error()));
    ByteSpan in_front = bytes.first(bytes.size() - kTrailerBytes);
    if (trailer->footer_size <= in_front.size()) return parse(key, in_front.last(trailer->footer_size), *trailer);
    {
      MutexLock lock(mutex);
      if (closed) return;
    }
    store.get(key, {trailer->footer_position, trailer->footer_size},
              [weak = weak_from_this(), key, trailer = *trailer](Result<ObjectBytes> footer) {
                auto self = weak.lock();
                if (!self) return;
                if (!footer) return self->finish(key, tl::unexpected<Error>(std::move(footer).error()));
                self->parse(key, footer->bytes, trailer);
              });
  }

  void parse(const std::string& key, ByteSpan bytes, const Trailer& trailer) {
    auto footer = Footer::parse(bytes, trailer);
    if (!footer) return finish(key, tl::unexpected<Error>(std::move(footer).error()));
    finish(key, std::make_shared<const Footer>(std::move(*footer)));
  }

  void finish(const std::string& key, Result<FooterPtr> outcome) {
    if (!outcome && outcome.error().what.find(key) == std::string::npos)
      outcome.error().what = store.url() + "/" + key + ": " + outcome.error().what;
    std::vector<Completion<FooterPtr>> waiters;
    {
      MutexLock lock(mutex);
      auto found = loading.find(key);
      if (found == loading.end()) return;
      waiters = std::move(found->second);
      loading.erase(found);
      waiting -= waiters.size();
      if (outcome) counters.evictions += footers.insert(key, *outcome, (*outcome)->memory_bytes() + key.size());
      else counters.failures++;
    }
    for (auto& waiter : waiters) waiter(outcome);
  }
};

FooterCache::FooterCache(ObjectStore& store, size_t max_bytes) : state_(std::make_shared<State>(store, max_bytes)) {}

FooterCache::~FooterCache() {
  std::map<std::string, std::vector<Completion<FooterPtr>>> loading;
  {
    MutexLock lock(state_->mutex);
    state_->closed = true;
    loading.swap(state_->loading);
  }
  for (auto& [key, waiters] : loading) {
    for (auto& waiter : waiters) waiter(fail(Errc::kClosed, "the cache of object indexes is closing"));
  }
}

void FooterCache::find(const std::string& key, Completion<FooterPtr> done) {
  State& s = *state_;
  MutexLock lock(s.mutex);
  if (FooterPtr* here = s.footers.find(key)) {
    FooterPtr footer = *here;
    s.counters.hits++;
    lock.unlock();
    return done(std::move(footer));
  }
  if (s.waiting >= kMaxWaiting) {
    lock.unlock();
    return done(fail(Errc::kFull, "too many reads wait for the object store"));
  }
  auto [place, first] = s.loading.try_emplace(key);
  place->second.push_back(std::move(done));
  s.waiting++;
  (first ? s.counters.misses : s.counters.hits)++;
  lock.unlock();
  if (first) s.load(key);
}

void FooterCache::insert(const std::string& key, FooterPtr footer) {
  MutexLock lock(state_->mutex);
  size_t size = footer->memory_bytes() + key.size();
  state_->counters.evictions += state_->footers.insert(key, std::move(footer), size);
}

void FooterCache::forget(const std::string& key) {
  MutexLock lock(state_->mutex);
  state_->footers.erase(key);
}

CacheCounters FooterCache::counters() const {
  MutexLock lock(state_->mutex);
  CacheCounters c = state_->counters;
  c.bytes = state_->footers.bytes();
  c.entries = state_->footers.size();
  return c;
}

}  // namespace topicfs
