// RangeReader: reads a partition's batches out of packed objects. After the object's footer (which
// FooterCache keeps) a read is one GET of exactly the blocks that cover it; blocks read recently
// are kept, so a reader that goes on in small steps asks the store once for each block. Reads of
// the same blocks at the same time share one request. A store that reads into memory that it is given
// (ObjectStore::places) is asked in smaller pieces, of which the first can be used while the others come.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "object/block_memory.h"
#include "object/block_reader.h"
#include "object/footer_cache.h"

namespace topicfs {

/// Whole batches of one partition, ascending; valid while `pin` lives.
struct ObjectRead {
  std::vector<BatchView> batches;
  std::shared_ptr<const void> pin;
  FooterPtr footer;
};

struct RangeReaderOptions {
  size_t max_cached_bytes = 64 << 20;   ///< of blocks read recently
  BlockMemory* memory = nullptr;        ///< nullptr: the heap. It outlives the reader, and every pin
};

/// Thread-safe; nothing blocks. Completions run on the store's threads, or before the verb returns
/// if everything is here. Errors: the store's, kNotFound (no such object), kCorrupt, kFull (too many
/// reads wait, or no memory for blocks), kOutOfRange (the object has nothing of the partition at
/// or behind the position), kClosed.
class RangeReader {
 public:
  static constexpr size_t kMaxReadBytes = 32 << 20;  ///< of one read; more is cut, but for one huge block
  static constexpr size_t kMaxWaiting = 4096;        ///< reads that wait for the store
  static constexpr size_t kPlacedBytes = 1 << 20;    ///< of one request to a store that places, but for one huge block

  /// `store` and `footers` outlive the reader.
  RangeReader(ObjectStore& store, FooterCache& footers, RangeReaderOptions options = {});
  ~RangeReader();
  /// Reads that wait are answered kClosed before this returns, and so is every later one; the store writes to none of the
  /// memory any more. Not from a completion.
  void close();

  /// From the batch that holds `from` (or the next one, after a gap), up to `max_bytes` of batches,
  /// but at least one. May bring less than the object has: ask again behind the last batch.
  void read(const std::string& key, PartitionId partition, Offset from, size_t max_bytes, Completion<ObjectRead> done);
  /// From the batch whose text holds `from` (or the next one), up to `max_bytes` of text from
  /// there, but at least one batch.
  void read(const std::string& key, PartitionId partition, TextPosition from, size_t max_bytes,
            Completion<ObjectRead> done);
  /// Drop the blocks of an object that is removed.
  void forget(const std::string& key);

  CacheCounters counters() const;  ///< of blocks

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the requests in flight, which may outlive the reader
};

}  // namespace topicfs
