// ObjectStore: the seam between the engine and S3, a local directory, or a simulation.
// Keys are relative to the store's root ("objects/...."), as check_object_key (object_key.h) wants
// them; objects are immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <topicfs/completion.h>
#include <topicfs/types.h>

#include "io/direct_file.h"

namespace topicfs {

struct ObjectRange {
  uint64_t offset = 0;
  uint64_t size = 0;
};

/// Bytes that were read, and what keeps them.
struct ObjectBytes {
  ObjectBytes() = default;
  ObjectBytes(std::vector<std::byte> read, uint64_t size_of_object) : object_size(size_of_object) {
    auto kept = std::make_shared<const std::vector<std::byte>>(std::move(read));
    bytes = *kept;
    owner = std::move(kept);
  }
  ObjectBytes(ByteSpan read, std::shared_ptr<const void> keeper, uint64_t size_of_object)
      : bytes(read), owner(std::move(keeper)), object_size(size_of_object) {}

  ByteSpan bytes;  ///< valid while `owner` lives
  std::shared_ptr<const void> owner;
  uint64_t object_size = 0;  ///< of the whole object
  bool is_placed = false;    ///< they lie in the memory that get_placed was given
};

struct ListedObject {
  std::string key;
  uint64_t size = 0;
};

struct StoreCounters {
  uint64_t puts = 0, gets = 0, lists = 0, deletes = 0;  ///< requests sent, retries included
  uint64_t put_bytes = 0, get_bytes = 0;
  uint64_t errors = 0, retries = 0;  ///< errors: see is_failure
};

/// That a key is not there, or is there already, is an answer.
inline bool is_failure(const Error& error) { return error.code != Errc::kNotFound && error.code != Errc::kExists; }

enum class Overwrite {
  allow,
  refuse,  ///< kExists if the key exists; kUnsupported where the server has no conditional PUT
};

/// A listing of more objects, or a `get` of more bytes, ends with kTooLarge.
inline constexpr uint64_t kMaxListedObjects = 4'000'000;
inline constexpr uint64_t kMaxGetBytes = 256 << 20;

/// Thread-safe. No verb blocks. Completions run on a thread of the store's; those that bring
/// kFull, kClosed, kTooLarge or kInvalidArgument may run before the verb returns, so hold no lock
/// across a call that the completion takes.
/// Errors of all verbs: kUnavailable (retry later: 5xx, 429, time-outs, network), kFull (too many
/// requests wait; retry later), kDenied (credentials), kInvalidArgument (key, bucket,
/// configuration), kNoSpace, kIo, kClosed. A verb tries once; who calls decides on retries.
/// Destruction answers what is pending, with kClosed unless it is done by then.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  /// All of `pieces`, which stay valid and unchanged until `done`; durable when answered.
  virtual void put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite,
                   Completion<void> done) = 0;
  /// Exactly `range`, of at least one byte; kNotFound, kCorrupt if the object is shorter.
  virtual void get(std::string key, ObjectRange range, Completion<ObjectBytes> done) = 0;
  /// True of a store that reads from a disk: to ask it for many short ranges costs little more than for one long range,
  /// and get_placed spares a copy.
  virtual bool places() const { return false; }
  /// get, into memory that `take` gives when the read begins, at most once; kFull too if it gives none. A store that does
  /// not place, and one that is asked for little, brings the bytes in memory of its own.
  virtual void get_placed(std::string key, ObjectRange range, TakeMemory take, Completion<ObjectBytes> done) {
    (void)take;
    get(std::move(key), range, std::move(done));
  }
  /// The last `max_bytes` of the object (all of it if it is shorter), in one request. kNotFound.
  virtual void get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) = 0;
  /// All keys with `prefix` that sort after `start_after` (empty: from the first), ascending; every page
  /// is fetched, an incomplete listing is an error.
  virtual void list(std::string prefix, std::string start_after,
                    Completion<std::vector<ListedObject>> done) = 0;
  /// Succeeds too if there is no such object.
  virtual void remove(std::string key, Completion<void> done) = 0;

  virtual StoreCounters counters() const = 0;
  /// For people: "file:/var/lib/topicfs/store", "s3://bucket/prefix".
  virtual std::string url() const = 0;
};

}  // namespace topicfs
