#include "object/retry.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "object/format.h"

namespace topicfs {

bool is_transient(Errc code) {
  switch (code) {
    case Errc::kUnavailable:
    case Errc::kTimedOut:
    case Errc::kFull:
    case Errc::kWouldBlock:
    case Errc::kBusy:
    case Errc::kNoSpace:  // someone makes room
    case Errc::kIo: return true;
    case Errc::kInvalidArgument:
    case Errc::kNotFound:
    case Errc::kExists:
    case Errc::kNotEmpty:
    case Errc::kNotPermitted:
    case Errc::kOutOfRange:
    case Errc::kTooLarge:
    case Errc::kCorrupt:
    case Errc::kUnsupported:
    case Errc::kReadOnly:
    case Errc::kCancelled:
    case Errc::kDenied:
    case Errc::kOutOfOrder:
    case Errc::kStaleEpoch:
    case Errc::kClosed: return false;
  }
  return false;
}

std::chrono::nanoseconds retry_delay(const RetryPolicy& policy, uint32_t attempt, Random& random) {
  std::chrono::nanoseconds delay = policy.first_delay, most = policy.max_delay;
  for (; attempt > 0 && delay < most; attempt--) delay *= 2;
  auto half = static_cast<uint64_t>(std::min(delay, most).count()) / 2;
  return std::chrono::nanoseconds(static_cast<int64_t>(half + random.next() % (half + 1)));
}

namespace {

struct Put {
  std::string key;
  std::vector<ByteSpan> pieces;
  Overwrite overwrite;
  Completion<void> done;
  uint32_t attempt = 0;
  bool in_doubt = false;  // an earlier try may have taken effect
  Error last_error;
};
using PutPtr = std::shared_ptr<Put>;

/// Whether the last bytes of `pieces` are `tail`.
bool ends_with(const std::vector<ByteSpan>& pieces, ByteSpan tail) {
  for (auto piece = pieces.rbegin(); piece != pieces.rend() && !tail.empty(); ++piece) {
    size_t n = std::min(piece->size(), tail.size());
    if (as_text(piece->last(n)) != as_text(tail.last(n))) return false;
    tail = tail.first(tail.size() - n);
  }
  return tail.empty();
}

uint64_t size_of(const std::vector<ByteSpan>& pieces) {
  uint64_t size = 0;
  for (ByteSpan piece : pieces) size += piece.size();
  return size;
}

}  // namespace

struct PutRetrier::State : std::enable_shared_from_this<PutRetrier::State> {
  State(ObjectStore& s, Executor& e, Clock& c, Random& r, RetryPolicy p)
      : store(s), executor(e), clock(c), random(r), policy(p) {}

  ObjectStore& store;
  Executor& executor;
  Clock& clock;
  Random& random;
  const RetryPolicy policy;
  mutable Mutex mutex;
  std::unordered_map<PutPtr, TimerId> sleeping GUARDED_BY(mutex);
  bool stopped GUARDED_BY(mutex) = false;
  uint64_t retries GUARDED_BY(mutex) = 0;
  std::string last_error GUARDED_BY(mutex);

  // Requests in flight keep the state: what they bring is handled even when the retrier is gone.

  void attempt(const PutPtr& put) {
    store.put(put->key, put->pieces, put->overwrite,
              [self = shared_from_this(), put](Result<void> r) { self->on_answer(put, std::move(r)); });
  }

  void on_answer(const PutPtr& put, Result<void> r) {
    if (r) {
      {
        MutexLock lock(mutex);
        last_error.clear();
      }
      return put->done({});
    }
    if (r.error().code == Errc::kExists && put->in_doubt) return compare(put, std::move(r).error());
    retry_later(put, std::move(r).error());
  }

  /// It exists, and we may be the ones who put it.
  void compare(const PutPtr& put, Error exists) {
    {
      MutexLock lock(mutex);
      if (stopped) {
        lock.unlock();
        return put->done(fail(Errc::kClosed, "stopped: " + exists.what));
      }
    }
    store.get_tail(put->key, kTailBytes, [self = shared_from_this(), put, exists](Result<ObjectBytes> tail) {
      if (!tail) return self->retry_later(put, std::move(tail).error());
      bool ours = tail->object_size == size_of(put->pieces) && ends_with(put->pieces, tail->bytes);
      if (ours) return self->on_answer(put, {});
      put->done(tl::unexpected<Error>(exists));
    });
  }

  void retry_later(const PutPtr& put, Error error) {
    MutexLock lock(mutex);
    last_error = error.message();
    // Found missing in compare(): someone removed it; the next try decides.
    bool again = is_transient(error.code) || (error.code == Errc::kNotFound && put->in_doubt);
    if (!again || stopped) {
      lock.unlock();
      if (again) error = Error{Errc::kClosed, 0, "stopped: " + error.message()};
      return put->done(tl::unexpected<Error>(std::move(error)));
    }
    put->in_doubt = true;
    put->last_error = error;
    retries++;
    auto delay = retry_delay(policy, put->attempt++, random);
    LOG_WARNING("{}; try {} of {} in {} ms", error.message(), put->attempt + 1, put->key,
                std::chrono::duration_cast<std::chrono::milliseconds>(delay).count());
    sleeping[put] = executor.at(clock.now() + delay, [weak = weak_from_this(), put] {
      auto self = weak.lock();
      if (!self) return;
      {
        MutexLock wake(self->mutex);
        if (self->sleeping.erase(put) == 0) return;  // stop() answered it
      }
      self->attempt(put);
    });
  }

  void stop() {
    std::unordered_map<PutPtr, TimerId> woken;
    {
      MutexLock lock(mutex);
      stopped = true;
      woken.swap(sleeping);
    }
    for (auto& [put, timer] : woken) {
      executor.cancel(timer);
      put->done(fail(Errc::kClosed, "stopped: " + put->last_error.message()));
    }
  }
};

PutRetrier::PutRetrier(ObjectStore& store, Executor& executor, Clock& clock, Random& random, RetryPolicy policy)
    : state_(std::make_shared<State>(store, executor, clock, random, policy)) {}

PutRetrier::~PutRetrier() { stop(); }

void PutRetrier::put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) {
  auto put = std::make_shared<Put>();
  put->key = std::move(key);
  put->pieces = std::move(pieces);
  put->overwrite = overwrite;
  put->done = std::move(done);
  {
    MutexLock lock(state_->mutex);
    if (state_->stopped) {
      lock.unlock();
      return put->done(fail(Errc::kClosed, "puts are stopped"));
    }
  }
  state_->attempt(put);
}

void PutRetrier::stop() { state_->stop(); }

uint64_t PutRetrier::retries() const {
  MutexLock lock(state_->mutex);
  return state_->retries;
}

std::string PutRetrier::last_error() const {
  MutexLock lock(state_->mutex);
  return state_->last_error;
}

}  // namespace topicfs
