#include "support/memory_object_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "object/object_key.h"

namespace topicfs {
namespace {

MemoryBucket::Bytes join(const std::vector<ByteSpan>& pieces) {
  auto bytes = std::make_shared<std::vector<std::byte>>();
  for (ByteSpan piece : pieces) bytes->insert(bytes->end(), piece.begin(), piece.end());
  return bytes;
}

/// False, changing nothing, if there is such an object and it is not to be replaced.
bool store_in(MemoryBucket& bucket, const std::string& key, const MemoryBucket::Bytes& bytes, Overwrite overwrite) {
  MutexLock lock(bucket.mutex);
  auto found = bucket.objects.find(key);
  if (found != bucket.objects.end() && overwrite == Overwrite::refuse) return false;
  if (bucket.on_change) bucket.on_change(key, found == bucket.objects.end() ? nullptr : found->second, bytes);
  bucket.objects[key] = bytes;
  return true;
}

}  // namespace

using Contents = std::shared_ptr<const std::vector<std::byte>>;

struct MemoryObjectStore::State {
  State(Executor& e, Clock& c, std::shared_ptr<MemoryBucket> b) : executor(e), clock(c), bucket(std::move(b)) {}

  Executor& executor;
  Clock& clock;
  const std::shared_ptr<MemoryBucket> bucket;

  Mutex mutex;  // before bucket->mutex
  Faults faults GUARDED_BY(mutex);
  std::map<Verb, std::pair<Error, int>> failing GUARDED_BY(mutex);
  bool conditional_put GUARDED_BY(mutex) = true;
  bool places GUARDED_BY(mutex) = false;
  uint64_t requests GUARDED_BY(mutex) = 0;
  StoreCounters counters GUARDED_BY(mutex);
  /// Called with nullptr to run, or with the reason not to.
  using Operation = UniqueFunction<void(const Error*)>;
  struct Pending {
    Operation operation;
    std::string key;
    std::vector<ByteSpan> put;  ///< of an unconditional PUT
  };
  std::map<uint64_t, Pending> pending GUARDED_BY(mutex);
  bool killed GUARDED_BY(mutex) = false;

  Fate decide(Verb verb, std::string_view key) REQUIRES(mutex) {
    if (auto f = failing.find(verb); f != failing.end() && f->second.second > 0) {
      f->second.second--;
      return {.error = f->second.first, .effect = Fate::Effect::none};
    }
    if (faults) return faults({verb, key, requests});
    return {};
  }

  /// Do `work` (which answers a Result<T>) in a task, under the fate that is decided now.
  template <class T, class Work>
  static void submit(const std::shared_ptr<State>& state, Verb verb, const std::string& key, Completion<T> done,
                     Work work, std::vector<ByteSpan> put = {}) {
    MutexLock lock(state->mutex);
    if (state->killed) return;
    Fate fate = state->decide(verb, key);
    uint64_t number = state->requests++;
    auto latency = fate.latency;
    auto operation = [s = state.get(), fate = std::move(fate), done = std::move(done),
                      work = std::move(work)](const Error* closed) mutable {
      if (closed) return done(tl::unexpected<Error>(*closed));
      bool failed = !fate.error.what.empty();
      if (failed && fate.effect == Fate::Effect::none) return s->answer_error(done, std::move(fate.error));
      Result<T> outcome = work(*s);
      if (failed) return s->answer_error(done, std::move(fate.error));
      if (!outcome) return s->answer_error(done, std::move(outcome.error()));
      if constexpr (std::is_same_v<T, ObjectBytes>) {
        if (fate.garbled) {
          std::vector<std::byte> bytes(outcome->bytes.begin(), outcome->bytes.end());
          bytes[bytes.size() / 3] ^= std::byte{4};
          outcome = ObjectBytes(std::move(bytes), outcome->object_size);
        }
        outcome->bytes = outcome->bytes.first(outcome->bytes.size() - std::min(outcome->bytes.size(), fate.cut_bytes));
      } else if constexpr (!std::is_void_v<T>) {
        outcome->resize(outcome->size() - std::min(outcome->size(), fate.hidden_keys));
      }
      done(std::move(outcome));
    };
    state->pending.emplace(number, Pending{std::move(operation), key, std::move(put)});
    lock.unlock();
    Task task = [weak = std::weak_ptr<State>(state), number] {
      if (auto alive = weak.lock()) alive->run(number);
    };
    if (latency.count() > 0) state->executor.at(state->clock.now() + latency, std::move(task));
    else state->executor.post(std::move(task));
  }

  template <class T>
  void answer_error(Completion<T>& done, Error error) {
    {
      MutexLock lock(mutex);
      if (is_failure(error)) counters.errors++;
    }
    done(tl::unexpected<Error>(std::move(error)));
  }

  void run(uint64_t number) {
    MutexLock lock(mutex);
    auto found = pending.find(number);
    if (found == pending.end()) return;
    Operation operation = std::move(found->second.operation);
    pending.erase(found);
    lock.unlock();
    operation(nullptr);
  }

  Result<Contents> find(const std::string& key) {
    TRY(check_object_key(key));
    MutexLock lock(bucket->mutex);
    auto found = bucket->objects.find(key);
    if (found == bucket->objects.end()) return fail(Errc::kNotFound, "memory:" + key + " does not exist");
    return found->second;
  }

  template <class Change>
  void count(Change change) {
    MutexLock lock(mutex);
    change(counters);
  }
};

MemoryObjectStore::MemoryObjectStore(Executor& executor, Clock& clock, std::shared_ptr<MemoryBucket> bucket)
    : state_(std::make_shared<State>(executor, clock,
                                     bucket ? std::move(bucket) : std::make_shared<MemoryBucket>())) {}

MemoryObjectStore::~MemoryObjectStore() {
  std::map<uint64_t, State::Pending> pending;
  {
    MutexLock lock(state_->mutex);
    pending.swap(state_->pending);
  }
  Error closed{Errc::kClosed, 0, "the object store is closing"};
  for (auto& [number, p] : pending) p.operation(&closed);
}

std::vector<MemoryObjectStore::LatePut> MemoryObjectStore::kill() {
  std::map<uint64_t, State::Pending> pending;  // ends after the lock is released: requests own what they like
  {
    MutexLock lock(state_->mutex);
    state_->killed = true;
    pending.swap(state_->pending);
  }
  std::vector<LatePut> late;
  for (auto& [number, p] : pending)
    if (!p.put.empty()) late.push_back({p.key, join(p.put)});
  return late;
}

void MemoryObjectStore::arrive(MemoryBucket& bucket, const LatePut& put) {
  store_in(bucket, put.key, put.bytes, Overwrite::allow);
}

void MemoryObjectStore::set_faults(Faults faults) {
  MutexLock lock(state_->mutex);
  state_->faults = std::move(faults);
}

void MemoryObjectStore::fail_next(Verb verb, Error error, int count) {
  MUST(!error.what.empty());
  MutexLock lock(state_->mutex);
  state_->failing[verb] = {std::move(error), count};
}

void MemoryObjectStore::set_conditional_put(bool supported) {
  MutexLock lock(state_->mutex);
  state_->conditional_put = supported;
}

void MemoryObjectStore::set_places(bool places) {
  MutexLock lock(state_->mutex);
  state_->places = places;
}

bool MemoryObjectStore::places() const {
  MutexLock lock(state_->mutex);
  return state_->places;
}

void MemoryObjectStore::damage(std::string_view key, uint64_t position) {
  MutexLock lock(state_->bucket->mutex);
  auto found = state_->bucket->objects.find(key);
  MUST(found != state_->bucket->objects.end() && position < found->second->size());
  auto copy = std::make_shared<std::vector<std::byte>>(*found->second);
  (*copy)[position] ^= std::byte{1};
  found->second = std::move(copy);
}

std::shared_ptr<MemoryBucket> MemoryObjectStore::bucket() const { return state_->bucket; }

bool MemoryObjectStore::contains(std::string_view key) const {
  MutexLock lock(state_->bucket->mutex);
  return state_->bucket->objects.find(key) != state_->bucket->objects.end();
}

void MemoryObjectStore::put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite,
                            Completion<void> done) {
  auto work = [key, pieces, overwrite](State& s) -> Result<void> {
    TRY(check_object_key(key));
    // The pieces are read as late as the seam allows, so that a caller who lets go of them early is caught.
    MemoryBucket::Bytes bytes = join(pieces);
    bool conditional = false;
    {
      MutexLock lock(s.mutex);
      s.counters.puts++;
      s.counters.put_bytes += bytes->size();
      conditional = s.conditional_put;
    }
    if (overwrite == Overwrite::refuse && !conditional)
      return fail(Errc::kUnsupported, "memory: has no conditional PUT");
    if (!store_in(*s.bucket, key, bytes, overwrite)) return fail(Errc::kExists, "memory:" + key + " exists");
    return {};
  };
  std::vector<ByteSpan> late = overwrite == Overwrite::allow ? std::move(pieces) : std::vector<ByteSpan>();
  State::submit<void>(state_, Verb::put, key, std::move(done), std::move(work), std::move(late));
}

void MemoryObjectStore::get(std::string key, ObjectRange range, Completion<ObjectBytes> done) {
  auto work = [key, range](State& s) -> Result<ObjectBytes> {
    s.count([&](StoreCounters& c) { c.gets++; });
    if (range.size == 0) return fail(Errc::kInvalidArgument, "memory:" + key + ": no bytes asked for");
    TRY_ASSIGN(Contents contents, s.find(key));
    if (range.offset > contents->size() || range.size > contents->size() - range.offset)
      return fail(Errc::kCorrupt, "memory:" + key + " is shorter than the range asked for");
    auto first = contents->begin() + static_cast<ptrdiff_t>(range.offset);
    ObjectBytes answer{{first, first + static_cast<ptrdiff_t>(range.size)}, contents->size()};
    s.count([&](StoreCounters& c) { c.get_bytes += answer.bytes.size(); });
    return answer;
  };
  State::submit<ObjectBytes>(state_, Verb::get, key, std::move(done), std::move(work));
}

void MemoryObjectStore::get_placed(std::string key, ObjectRange range, TakeMemory take, Completion<ObjectBytes> done) {
  get(std::move(key), range, [take = std::move(take), done = std::move(done)](Result<ObjectBytes> got) mutable {
    if (!got) return done(std::move(got));
    auto memory = take(got->bytes.size());
    if (!memory) return done(fail(Errc::kFull, "memory: no memory to read into"));
    std::copy(got->bytes.begin(), got->bytes.end(), memory.get());
    ObjectBytes placed({memory.get(), got->bytes.size()}, memory, got->object_size);
    placed.is_placed = true;
    done(std::move(placed));
  });
}

void MemoryObjectStore::get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) {
  auto work = [key, max_bytes](State& s) -> Result<ObjectBytes> {
    s.count([&](StoreCounters& c) { c.gets++; });
    TRY_ASSIGN(Contents contents, s.find(key));
    auto size = std::min<uint64_t>(max_bytes, contents->size());
    ObjectBytes answer{{contents->end() - static_cast<ptrdiff_t>(size), contents->end()}, contents->size()};
    s.count([&](StoreCounters& c) { c.get_bytes += answer.bytes.size(); });
    return answer;
  };
  State::submit<ObjectBytes>(state_, Verb::get_tail, key, std::move(done), std::move(work));
}

void MemoryObjectStore::list(std::string prefix, std::string start_after,
                             Completion<std::vector<ListedObject>> done) {
  auto work = [prefix, start_after](State& s) -> Result<std::vector<ListedObject>> {
    s.count([&](StoreCounters& c) { c.lists++; });
    std::vector<ListedObject> listed;
    MutexLock lock(s.bucket->mutex);
    for (const auto& [key, bytes] : s.bucket->objects) {
      if (key.starts_with(prefix) && (start_after.empty() || key > start_after))
        listed.push_back({key, bytes->size()});
    }
    return listed;
  };
  State::submit<std::vector<ListedObject>>(state_, Verb::list, prefix, std::move(done), std::move(work));
}

void MemoryObjectStore::remove(std::string key, Completion<void> done) {
  auto work = [key](State& s) -> Result<void> {
    s.count([&](StoreCounters& c) { c.deletes++; });
    MutexLock lock(s.bucket->mutex);
    auto found = s.bucket->objects.find(key);
    if (found == s.bucket->objects.end()) return {};
    if (s.bucket->on_change) s.bucket->on_change(key, found->second, nullptr);
    s.bucket->objects.erase(found);
    return {};
  };
  State::submit<void>(state_, Verb::remove, key, std::move(done), std::move(work));
}

StoreCounters MemoryObjectStore::counters() const {
  MutexLock lock(state_->mutex);
  return state_->counters;
}

}  // namespace topicfs
