#include "ipc/ends_table.h"

#include <sched.h>

namespace topicfs::ipc {
namespace {

constexpr uint32_t kNever = 0, kExists = 1, kDeleted = 2;
/// A writer needs some nanoseconds, unless it lost its processor or died there.
constexpr int kMaxTries = 10'000, kTriesBeforeYield = 100;

EndsRow& row_at(const SharedMemory& memory, PartitionId partition) {
  return reinterpret_cast<EndsRow*>(memory.bytes().data())[partition.v];
}

template <class From, class To, class Move>
void each_member(From& from, To& to, Move move) {
  move(from.log_start, to.log_start.v);
  move(from.durable_end, to.durable_end.v);
  move(from.visible_end, to.visible_end.v);
  move(from.text_start, to.text_start.v);
  move(from.text_end, to.text_end.v);
  move(from.retained_bytes, to.retained_bytes);
}

}  // namespace

Result<std::unique_ptr<EndsTableWriter>> EndsTableWriter::create(uint64_t rows) {
  TRY_ASSIGN(auto memory, SharedMemory::create("topicfs-ends", rows * sizeof(EndsRow),
                                               SharedMemory::Writers::creator_only));
  return std::unique_ptr<EndsTableWriter>(new EndsTableWriter(std::move(memory), rows));
}

void EndsTableWriter::refresh(Engine& engine, PartitionId partition) {
  if (partition.v >= rows_) return;
  MutexLock lock(mutex_);
  auto ends = engine.ends(partition);
  EndsRow& row = row_at(memory_, partition);
  if (!ends && row.state.load(std::memory_order_relaxed) == kNever) return;  // keeps the page untouched
  auto sequence = row.sequence.load(std::memory_order_relaxed);
  row.sequence.store(sequence + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  row.state.store(ends ? kExists : kDeleted, std::memory_order_relaxed);
  if (ends) {
    each_member(row, *ends, [](auto& to, int64_t from) { to.store(from, std::memory_order_relaxed); });
    row.modified_ms.store(ends->modified.count(), std::memory_order_relaxed);
  }
  row.sequence.store(sequence + 2, std::memory_order_release);
}

Result<PartitionEnds> EndsTableReader::read(PartitionId partition) const {
  if (partition.v >= rows_)
    return fail(Errc::kUnsupported, "partition number " + std::to_string(partition.v) + " exceeds the gateway's table");
  const EndsRow& row = row_at(memory_, partition);
  for (int tries = 0; tries < kMaxTries; ++tries) {
    if (tries > kTriesBeforeYield) ::sched_yield();
    auto before = row.sequence.load(std::memory_order_acquire);
    if (before & 1) continue;
    auto state = row.state.load(std::memory_order_relaxed);
    PartitionEnds ends;
    each_member(row, ends, [](auto& from, int64_t& to) { to = from.load(std::memory_order_relaxed); });
    ends.modified = WallMilliseconds(row.modified_ms.load(std::memory_order_relaxed));
    std::atomic_thread_fence(std::memory_order_acquire);
    if (row.sequence.load(std::memory_order_relaxed) != before) continue;
    if (state != kExists) return fail(Errc::kNotFound, "no such partition");
    return ends;
  }
  return fail(Errc::kUnavailable, "the daemon stopped while it wrote a partition's ends");
}

}  // namespace topicfs::ipc
