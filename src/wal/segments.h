// Segments: the log's files and which of their bytes are in memory. Files are written whole before they
// are used (a write to a file that need not grow is 2 to 8 times cheaper to make durable), and used again.
//
//   free file --prepare (header with a new number, in the background)--> ready --open_next--> live
//   live --release_below (its data is offloaded)--> free file
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <topicfs/completion.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "io/direct_file.h"
#include "io/file_system.h"
#include "pool/chunk_pool.h"
#include "wal/format.h"

namespace topicfs::wal {

struct Segment {
  uint32_t number = 0;
  std::string path;
  std::unique_ptr<File> file;     ///< as commits are written
  std::vector<ChunkId> chunks;    ///< kNoChunk where the bytes are on disk only
  uint32_t end = kBlockBytes;     ///< bytes used, once the log has gone on to the next
};

/// The bytes of one segment that are in memory, addressed by their place in the segment.
/// Valid for ranges whose chunks cannot go away: not yet durable, or pinned.
class SegmentBytes {
 public:
  SegmentBytes() = default;
  SegmentBytes(ChunkPool& pool, const Segment& segment) : pool_(&pool), segment_(&segment) {}
  void put(uint32_t at, ByteSpan bytes) const;
  /// Puts bytes and returns the CRC-32C of what was written, going on from `seed`.
  uint32_t put_summed(uint32_t at, ByteSpan bytes, uint32_t seed) const;
  void get(uint32_t at, MutableByteSpan into) const;
  void zero(uint32_t at, size_t count) const;
  void pieces(uint32_t at, size_t count, std::vector<ByteSpan>& out) const;

 private:
  MutableByteSpan contiguous(uint32_t at, size_t count) const;
  ChunkPool* pool_ = nullptr;
  const Segment* segment_ = nullptr;
};

/// How a PinSet sees a chunk that comes again: in order, as a reader's, only the last one is looked at.
enum class Pins { ascending, distinct };

/// Pins on chunks, all dropped together: the Pin of what a read refers to.
class PinSet {
 public:
  explicit PinSet(ChunkPool& pool, Pins pins = Pins::ascending) : pool_(pool), pins_(pins) {}
  PinSet(const PinSet&) = delete;
  ~PinSet() { clear(); }
  void clear() {
    for (ChunkId c : chunks_) pool_.unpin(c);
    chunks_.clear();
    held_.clear();
  }
  /// Memory that is held back, however little of it is wanted.
  uint64_t bytes() const { return chunks_.size() * pool_.chunk_bytes(); }
  void add(ChunkId chunk) {
    if (!chunks_.empty() && chunks_.back() == chunk) return;
    if (pins_ == Pins::distinct && !held_.insert(chunk).second) return;
    pool_.pin(chunk);
    chunks_.push_back(chunk);
  }

 private:
  ChunkPool& pool_;
  const Pins pins_;
  std::vector<ChunkId> chunks_;
  std::set<ChunkId> held_;  // if they are distinct
};

/// Whether a reservation may take what is kept back for the log's own relief.
enum class Reserve {
  keep,
  share,  ///< up to half of it
  use,
};

struct SegmentOptions {
  std::string directory;
  Uuid store;
  uint64_t segment_bytes = 64 << 20;
  uint32_t max_segments = 64;
  uint32_t ready_ahead = 2;       ///< how many are kept ready; twice as many each time there was none, up to the pool's size
  SyncMethod method = SyncMethod::direct_dsync;
};

/// Thread-safe.
class Segments {
 public:
  Segments(SegmentOptions options, FileSystem& fs, LogDevice& device, ChunkPool& pool);
  ~Segments();

  /// A segment that recovery found, with commits up to byte `end`; in order of number.
  Result<void> adopt(uint32_t number, std::string path, uint32_t end);
  /// A file whose contents are of no use any more.
  void add_free(std::string path);
  /// Prepares the first segment and then, in the background, the next ones. `first_number` is higher than any
  /// that was ever used. `on_ready` is called, from any thread, when one became ready after open_next found none, or
  /// when hold() may have what it was kept from.
  Result<void> start(uint32_t first_number, Task on_ready);
  void stop();  ///< no preparation begins after this; waits for one under way

  /// The next segment, or nullptr while none is ready. The last one that the log may have is kept for
  /// the other reserves: the records that free others must not wait for room.
  Segment* open_next(Reserve reserve);
  /// Whether one is left to keep. If not, `on_ready` is called when there may be.
  bool keeps_one();
  /// Holds chunks for the bytes [from, to) of a live segment, giving up the oldest ones of durable data (before
  /// `durable`) as needed. False if there are not enough: then it holds those that it got, and a next try goes on
  /// from there.
  bool hold(Segment& segment, uint32_t from, uint32_t to, LogPosition durable, Reserve reserve);
  /// The log before `offloaded` is in objects, and nobody has to read its bytes back.
  void set_offloaded(LogPosition offloaded);
  /// What is not offloaded stays in memory while `keep`: hold() is false instead, and `on_ready` says when to try again.
  /// Reserve::use gets its bytes all the same.
  void keep_unread(bool keep);
  /// Adds the bytes' pieces to `out` and pins them if all are in memory; false otherwise.
  bool pin(LogPosition at, size_t count, std::vector<ByteSpan>& out, PinSet& pins);
  bool is_in_memory(LogPosition at) const;
  /// Bytes from the segment's file, waiting for the disk. kNotFound if the segment is gone.
  Result<DirectBytes> read(LogPosition at, size_t size);

  /// Segments below `number` are free for new data; their bytes in memory are given up.
  void release_below(uint32_t number);

  struct Counts {
    uint32_t live, ready, free_files, files, max, resident_chunks;
    uint32_t oldest_live, newest_live;  ///< their numbers, 0 if none
    std::string last_error;             ///< why the next one could not be prepared; empty: it could
  };
  Counts counts() const;
  uint64_t segment_bytes() const { return options_.segment_bytes; }
  ChunkPool& pool() { return pool_; }

 private:
  size_t segments_left() const REQUIRES(mutex_);
  Result<std::unique_ptr<Segment>> prepare(std::string path, uint32_t number);
  void prepare_in_background() REQUIRES(mutex_);
  void prepared(Result<std::unique_ptr<Segment>> segment, std::string path);
  Segment* find(uint32_t number) const REQUIRES(mutex_);
  bool give_up_oldest(LogPosition durable, Reserve reserve) REQUIRES(mutex_);
  ChunkId take_chunk(LogPosition durable, Reserve reserve) REQUIRES(mutex_);
  void tell_held_back() EXCLUDES(mutex_);

  const SegmentOptions options_;
  FileSystem& fs_;
  LogDevice& device_;
  ChunkPool& pool_;
  mutable Mutex mutex_;
  CondVar idle_;
  std::deque<std::shared_ptr<Segment>> live_ GUARDED_BY(mutex_);
  std::deque<std::unique_ptr<Segment>> ready_ GUARDED_BY(mutex_);
  std::vector<std::string> free_files_ GUARDED_BY(mutex_);
  uint32_t files_ GUARDED_BY(mutex_) = 0;
  uint32_t next_number_ GUARDED_BY(mutex_) = 0;
  uint32_t next_file_ GUARDED_BY(mutex_) = 0;
  uint32_t resident_ GUARDED_BY(mutex_) = 0;
  LogPosition offloaded_ GUARDED_BY(mutex_);
  bool keep_unread_ GUARDED_BY(mutex_) = false, held_back_ GUARDED_BY(mutex_) = false;
  uint32_t ready_ahead_ GUARDED_BY(mutex_);
  bool preparing_ GUARDED_BY(mutex_) = false, starved_ GUARDED_BY(mutex_) = false;
  bool names_durable_ = true;  // of the files; for prepare(), of which one runs at a time
  bool stopping_ GUARDED_BY(mutex_) = true;
  std::string last_error_ GUARDED_BY(mutex_);
  Task on_ready_;
  DirectBuffers buffers_;
};

}  // namespace topicfs::wal
