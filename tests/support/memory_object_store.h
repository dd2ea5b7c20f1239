// MemoryObjectStore: an ObjectStore that keeps its objects in memory, for unit tests and the
// simulation. Every verb takes effect, and answers, in a task of the executor that was passed in;
// faults and latency are decided by a hook, so that a test or a seed decides what goes wrong:
//
//   fails before the effect     the request never arrived (503, refused connection)
//   fails after the effect      the response was lost; the object is there, or is gone
//   damaged bytes               `damage` flips a bit of a stored object
//   slow                        latency of each request
//   lagging lists               the newest keys of a listing are left out
//   garbled answers             a GET brings bytes of which one bit is wrong
//   truncated bodies            a GET brings fewer bytes than were asked for, and the client has not noticed
//   the client dies             `kill`: nothing is answered any more; PUTs that were on their way may come late
//
// The contents outlive the store object when the test holds them (`contents`), as a bucket
// outlives a process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "object/object_store.h"

namespace topicfs {

/// The bucket: keys and bytes. Used by one or more MemoryObjectStores, from any thread.
struct MemoryBucket {
  Mutex mutex;
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;
  std::map<std::string, Bytes, std::less<>> objects GUARDED_BY(mutex);
  /// Told of each PUT and DELETE just before its effect; `before` and `after` are null where there is no object.
  std::function<void(const std::string& key, const Bytes& before, const Bytes& after)> on_change GUARDED_BY(mutex);
};

class MemoryObjectStore final : public ObjectStore {
 public:
  enum class Verb { put, get, get_tail, list, remove };
  struct Request {
    Verb verb;
    std::string_view key;  ///< list: the prefix
    uint64_t number;       ///< 0, 1, 2... over the life of the store
  };
  struct Fate {
    enum class Effect { none, happens };
    std::chrono::nanoseconds latency{0};
    Error error{};  ///< an empty `what` means success
    Effect effect = Effect::happens;
    size_t hidden_keys = 0;  ///< of a listing's end
    bool garbled = false;    ///< of a GET
    size_t cut_bytes = 0;    ///< of a GET's end
  };
  using Faults = std::function<Fate(const Request&)>;

  MemoryObjectStore(Executor& executor, Clock& clock, std::shared_ptr<MemoryBucket> bucket = nullptr);
  /// Requests that have not run are answered kClosed, without effect, before this returns.
  ~MemoryObjectStore() override;

  struct LatePut {
    std::string key;
    MemoryBucket::Bytes bytes;
  };
  /// The client's process ends here: no request is answered, now or later. Those PUTs without a condition that were
  /// on their way, as bytes, for a test to bring about when it likes, or not.
  std::vector<LatePut> kill();
  /// A PUT of a dead client arrives.
  static void arrive(MemoryBucket& bucket, const LatePut& put);

  /// Asked once for each request, when it is made. An empty function: all succeed at once.
  void set_faults(Faults faults);
  /// The next `count` requests of this kind fail with `error`, before their effect.
  void fail_next(Verb verb, Error error, int count = 1);
  /// False (kUnsupported for Overwrite::refuse) plays a server without conditional PUT.
  void set_conditional_put(bool supported);
  /// True plays a store that reads into memory that it is given.
  void set_places(bool places);
  /// Flip one bit of the object's byte at `position`.
  void damage(std::string_view key, uint64_t position);

  std::shared_ptr<MemoryBucket> bucket() const;
  bool contains(std::string_view key) const;

  void put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) override;
  void get(std::string key, ObjectRange range, Completion<ObjectBytes> done) override;
  bool places() const override;
  void get_placed(std::string key, ObjectRange range, TakeMemory take, Completion<ObjectBytes> done) override;
  void get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) override;
  void list(std::string prefix, std::string start_after, Completion<std::vector<ListedObject>> done) override;
  void remove(std::string key, Completion<void> done) override;
  StoreCounters counters() const override;
  std::string url() const override { return "memory:"; }

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the tasks in the executor, which may outlive the store
};

}  // namespace topicfs
