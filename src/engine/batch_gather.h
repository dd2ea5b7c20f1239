// BatchGather: brings together the bytes of batches that lie in the log, for an object. What is in memory stays where it
// is, as long as that holds back no more than a share of the pool; beyond that it is copied. What memory has given up is
// read back from its segments in the order of the log, in large pieces: when a store comes back after an outage, gigabytes
// of small batches wait there.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/partition.h"
#include "wal/segments.h"

namespace topicfs {

/// For one thread. Segments outlive it; the pieces live as long as it does.
class BatchGather {
 public:
  static constexpr uint64_t kPinnedShare = 4;         ///< the pool's part that may be held back: one in so many bytes
  /// Of one read of a segment, but for a larger batch: with the blocks around it, it fills a huge page.
  static constexpr uint32_t kRunBytes = (2 << 20) - (8 << 10);
  static constexpr uint32_t kMostGapBytes = 32 << 10; ///< that are read along between two batches
  static constexpr uint32_t kLargeBytes = 32 << 10;   ///< of a batch whose checksum is made from its own

  explicit BatchGather(wal::Segments& segments);

  /// All of them before get().
  void add(const BatchRef& batch);
  /// Waits for the disk. kCorrupt if a batch in a segment's file fails its checksum, kNotFound if its segment is gone, and
  /// the errors of reads.
  Result<void> get();
  /// Of the batch that was added as number `index`, one behind the other.
  std::span<const ByteSpan> pieces(size_t index) const;
  /// Theirs, if the batch is large: from its own CRC, as its first bytes tell, so that the rest is not summed again, and what
  /// memory may have done to it since it came shows.
  std::optional<uint32_t> crc(size_t index) const;
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Batch {
    wal::LogPosition at;
    uint64_t sequence;
    uint32_t bytes;
    uint32_t first_piece = 0, pieces = 0;
    uint64_t entry_end() const { return at.byte() + sizeof(wal::EntryHeader) + bytes; }
  };
  bool take_from_memory(Batch& batch);
  Result<void> read_back(std::vector<Batch*> batches);
  Result<void> read_run(std::span<Batch* const> run);
  void keep_copy(Batch& batch, ByteSpan bytes);
  void add_piece(Batch& batch, ByteSpan bytes);

  wal::Segments& segments_;
  std::vector<Batch> batches_;
  wal::PinSet pins_;
  std::vector<ByteSpan> pieces_;
  std::vector<std::unique_ptr<std::byte[]>> copies_;
  size_t copy_size_ = 0, copy_left_ = 0;  // of the last of them
  std::vector<std::shared_ptr<const void>> read_;  // owners of what was read back and stays where it is
  uint64_t bytes_read_ = 0;
};

}  // namespace topicfs
