// PutRetrier: puts that are tried again until they succeed, fail for good, or are told to stop.
// Backs off exponentially with jitter, so that many writers don't come back at once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "object/object_store.h"

namespace topicfs {

struct RetryPolicy {
  std::chrono::milliseconds first_delay{100};
  std::chrono::milliseconds max_delay{30'000};
};

/// Whether the same request may succeed later without anyone changing what it asks for.
bool is_transient(Errc code);

/// Between half of and all of the delay of the `attempt`th try (0: the first one), at most max_delay.
std::chrono::nanoseconds retry_delay(const RetryPolicy& policy, uint32_t attempt, Random& random);

/// Thread-safe.
class PutRetrier {
 public:
  /// All of them outlive the retrier.
  PutRetrier(ObjectStore& store, Executor& executor, Clock& clock, Random& random, RetryPolicy policy = {});
  /// As stop().
  ~PutRetrier();

  /// ObjectStore::put until it ends with success or a permanent error. With Overwrite::refuse, a
  /// put whose answer was lost finds its own object: if that one has these very bytes at its end
  /// (kTailBytes of them) and this size, it is ours, and the put succeeded.
  /// `pieces` must stay until `done`, after stop() too.
  void put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done);

  /// No more tries: puts that wait for their next one end now with the last error's text and
  /// kClosed; those with a request in flight when it is answered.
  void stop();

  uint64_t retries() const;
  /// What the last failed try said, for the status; empty after a success.
  std::string last_error() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the tries in flight, which may outlive the retrier
};

}  // namespace topicfs
