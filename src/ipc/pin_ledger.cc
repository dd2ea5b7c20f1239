#include "ipc/pin_ledger.h"

#include <algorithm>

#include "ipc/shared_memory.h"

namespace topicfs::ipc {

PinLedger::PinLedger(const PoolView& pool, uint32_t budget_percent, std::shared_ptr<Slabs> bounce, Clock& clock)
    : pool_(pool),
      budget_bytes_(pool.size_bytes / 100 * budget_percent),
      bounce_(std::move(bounce)),
      clock_(clock),
      lent_of_chunk_(pool.chunk_bytes ? pool.size_bytes / pool.chunk_bytes : 0) {}

bool PinLedger::in_pool(ByteSpan piece) const {
  auto at = reinterpret_cast<uintptr_t>(piece.data()), base = reinterpret_cast<uintptr_t>(pool_.base);
  return pool_.base && !piece.empty() && at >= base && within(at - base, piece.size(), pool_.size_bytes);
}

bool PinLedger::reserve(ByteSpan piece, Held& held) {
  auto at = static_cast<uint64_t>(piece.data() - pool_.base);
  auto first = static_cast<uint32_t>(at / pool_.chunk_bytes);
  auto last = static_cast<uint32_t>((at + piece.size() - 1) / pool_.chunk_bytes);
  uint64_t more = 0;
  for (auto chunk = first; chunk <= last; ++chunk) more += lent_of_chunk_[chunk] ? 0 : pool_.chunk_bytes;
  if (lent_bytes_ + more > budget_bytes_) return false;
  lent_bytes_ += more;
  for (auto chunk = first; chunk <= last; ++chunk) {
    ++lent_of_chunk_[chunk];
    held.chunks.push_back(chunk);
  }
  return true;
}

void PinLedger::give_back_chunks(const Held& held) {
  for (auto chunk : held.chunks)
    if (--lent_of_chunk_[chunk] == 0) lent_bytes_ -= pool_.chunk_bytes;
}

Result<Pin> PinLedger::copy_pieces(const Bytes& bytes, Placed& placed, Task when_room) {
  size_t total = 0;
  for (auto& piece : placed.answer.pieces) total += piece.in == PieceIn::pool ? 0 : piece.size;
  if (total == 0) return Pin{};
  MutableByteSpan to;
  SlabBuffer buffer;
  if (total <= kMaxTailBytes) {
    placed.tail.resize(total);
    to = placed.tail;
  } else if (!bounce_->could_ever_hold(total)) {
    return fail(Errc::kTooLarge, "an answer of " + std::to_string(total) + " bytes exceeds the gateway's memory");
  } else if (buffer = bounce_->allocate(total, std::move(when_room)); !buffer) {
    return fail(Errc::kFull, "the gateway holds too many bytes that it has read");
  } else {
    to = buffer.bytes;
  }
  size_t begin = buffer ? bounce_->offset_of(to) : 0, at = 0;
  for (size_t i = 0; i < bytes.pieces.size(); ++i) {
    auto& piece = placed.answer.pieces[i];
    if (piece.in == PieceIn::pool) continue;
    std::copy(bytes.pieces[i].begin(), bytes.pieces[i].end(), to.begin() + static_cast<ptrdiff_t>(at));
    piece.in = buffer ? PieceIn::bounce : PieceIn::tail;
    piece.offset = begin + at;
    at += piece.size;
  }
  return std::move(buffer.owner);
}

Result<PinLedger::Placed> PinLedger::place(const Bytes& bytes, Task when_room) {
  Placed placed;
  Held held;
  held.since = clock_.now();
  for (auto piece : bytes.pieces)
    placed.answer.pieces.push_back({PieceIn::tail, 0, static_cast<uint32_t>(piece.size())});
  if (bytes.size > kMaxTailBytes) {
    MutexLock lock(mutex_);
    for (size_t i = 0; i < bytes.pieces.size(); ++i) {
      auto piece = bytes.pieces[i];
      if (!in_pool(piece) || !reserve(piece, held)) continue;
      placed.answer.pieces[i].in = PieceIn::pool;
      placed.answer.pieces[i].offset = static_cast<uint64_t>(piece.data() - pool_.base);
    }
  }
  auto copied = copy_pieces(bytes, placed, std::move(when_room));
  MutexLock lock(mutex_);
  if (!copied) {
    give_back_chunks(held);
    return tl::unexpected(std::move(copied).error());
  }
  held.bounce_owner = std::move(*copied);
  if (!held.chunks.empty()) held.engine_pin = bytes.pin;
  if (!held.engine_pin && !held.bounce_owner) return placed;
  placed.answer.pin = ++last_pin_;
  held_.emplace(placed.answer.pin, std::move(held));
  return placed;
}

bool PinLedger::release(uint64_t pin) {
  Held held;  // let go after the lock: that may call anything
  MutexLock lock(mutex_);
  auto found = held_.find(pin);
  if (found == held_.end()) return false;
  held = std::move(found->second);
  held_.erase(found);
  give_back_chunks(held);
  lock.unlock();
  return true;
}

PinLedger::Lent PinLedger::lent() {
  MutexLock lock(mutex_);
  return {held_.size(), lent_bytes_, held_.empty() ? MonotonicTime{0} : held_.begin()->second.since};
}

}  // namespace topicfs::ipc
