// Parts of the client: the mirror of the catalog, the calls that wait for an answer, the pins that
// wait to be given back. Each has its own lock, and calls nothing while it holds it.
#pragma once

#include <algorithm>
#include <map>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "ipc/client.h"
#include "ipc/outbox.h"

namespace topicfs::ipc {

/// The catalog as the daemon last told it. Thread-safe.
class CatalogMirror {
 public:
  void put(TopicPtr topic);
  TopicPtr remove(const Uuid& id);  ///< what was there

  TopicPtr find(std::string_view name);
  TopicPtr find(const Uuid& id);
  TopicPtr find(TopicNumber number);
  std::optional<PartitionPlace> find(PartitionId id);
  std::vector<TopicPtr> list();

 private:
  Mutex mutex_;
  std::map<std::string, TopicPtr, std::less<>> by_name_ GUARDED_BY(mutex_);
  std::unordered_map<Uuid, TopicPtr> by_id_ GUARDED_BY(mutex_);
  std::unordered_map<TopicNumber, TopicPtr> by_number_ GUARDED_BY(mutex_);
  std::unordered_map<PartitionId, std::pair<Uuid, int32_t>> partitions_ GUARDED_BY(mutex_);
};

/// Who waits for an answer.
using Waiter = std::variant<std::monostate, Completion<void>, Completion<TopicPtr>, Completion<Appended>,
                            Completion<int64_t>, Completion<TextRead>, Completion<Fetched>,
                            Completion<TimestampedOffset>, Completion<std::string>,
                            Completion<std::vector<EpochStart>>, Completion<std::vector<CommittedOffset>>, Completion<std::vector<StoredGroup>>>;

/// Ends whatever waits with `error`.
void end_with(Waiter waiter, const Error& error);

/// Requests that the daemon has not answered. A request is a slot's number and how often the slot was
/// used, so that an answer to an old request finds nobody. Thread-safe.
class CallTable {
 public:
  static constexpr uint32_t kMaxCalls = 16384;

  /// 0, and `waiter` stays with the caller, when there are too many or all were ended.
  uint64_t begin(Waiter& waiter, Pin arena_owner);
  /// Keeps `arena_owner` too until the request is answered.
  void keep(uint64_t request, Pin arena_owner);
  /// monostate if nobody waits.
  Waiter end(uint64_t request);
  /// Ends the table: `begin` refuses from now on.
  std::vector<Waiter> end_all();

 private:
  struct Call {
    uint32_t uses = 0;
    Waiter waiter;
    Pin arena_owner;  // the daemon may still read there
  };
  Call* find(uint64_t request) REQUIRES(mutex_);

  Mutex mutex_;
  std::vector<Call> calls_ GUARDED_BY(mutex_);
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
};

/// Pins that were let go, on their way back to the daemon. Shared with every pin. Thread-safe.
class PinReturns : public std::enable_shared_from_this<PinReturns> {
 public:
  /// So many are worth a wake-up; fewer wait for the client's thread to come by.
  static constexpr size_t kManyReturns = 64;

  explicit PinReturns(std::shared_ptr<const Wake> wake) : wake_(std::move(wake)) {}

  /// `memory` is kept mapped as long as the pin lives.
  Pin make(uint64_t pin, std::shared_ptr<const void> memory);
  std::vector<uint64_t> take();
  /// How many there are that were not let go.
  size_t held();

 private:
  void give_back(uint64_t pin);

  const std::shared_ptr<const Wake> wake_;
  Mutex mutex_;
  size_t held_ GUARDED_BY(mutex_) = 0;
  std::vector<uint64_t> returned_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::ipc
