// PinLedger: what the daemon has lent to one gateway. Bytes of an answer that stand in the pool are
// lent in place, up to a share of the pool; beyond that, and from elsewhere, they are copied into the
// bounce memory. Both stay until the gateway releases them.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "ipc/messages.h"
#include "ipc/slabs.h"

namespace topicfs::ipc {

/// The engine's pool as one mapping: `fetch` lends pieces inside it. All zero: nothing is lent in place.
struct PoolView {
  const std::byte* base = nullptr;
  uint64_t size_bytes = 0;
  uint32_t chunk_bytes = 0;  ///< what one pin keeps from being reused
  int fd = -1;               ///< the memfd, sealed against shrinking
};

/// At most this much is sent behind the answer instead: cheaper than to release it.
inline constexpr size_t kMaxTailBytes = 4096;

/// Thread-safe.
class PinLedger {
 public:
  PinLedger(const PoolView& pool, uint32_t budget_percent, std::shared_ptr<Slabs> bounce, Clock& clock);

  struct Placed {
    BytesAnswer answer;  ///< without the ends
    std::vector<std::byte> tail;
  };
  /// Where the gateway finds `bytes`; what is lent keeps them until `release`. kTooLarge: they fit
  /// nowhere; kFull: not now, and `when_room` is called when it is worth trying again.
  Result<Placed> place(const Bytes& bytes, Task when_room);
  /// False if nothing was lent under this number.
  bool release(uint64_t pin);

  struct Lent {
    size_t pins = 0;
    uint64_t pool_bytes = 0;  ///< whole chunks
    MonotonicTime oldest{0};  ///< when the oldest was lent; meaningless without pins
  };
  Lent lent();

 private:
  struct Held {
    Pin engine_pin, bounce_owner;
    std::vector<uint32_t> chunks;
    MonotonicTime since;
  };

  bool in_pool(ByteSpan piece) const;
  /// Counts the chunks of `piece` into `held`; false, and nothing changed, if that exceeds the budget.
  bool reserve(ByteSpan piece, Held& held) REQUIRES(mutex_);
  void give_back_chunks(const Held& held) REQUIRES(mutex_);
  /// Copies the pieces that are not in the pool's memory, and says where they are now.
  Result<Pin> copy_pieces(const Bytes& bytes, Placed& placed, Task when_room);

  const PoolView pool_;
  const uint64_t budget_bytes_;
  const std::shared_ptr<Slabs> bounce_;
  Clock& clock_;
  Mutex mutex_;
  std::map<uint64_t, Held> held_ GUARDED_BY(mutex_);  // by pin, which is by age
  std::vector<uint32_t> lent_of_chunk_ GUARDED_BY(mutex_);
  uint64_t lent_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t last_pin_ GUARDED_BY(mutex_) = 0;
};

}  // namespace topicfs::ipc
