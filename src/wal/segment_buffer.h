// SegmentBuffer: one segment's bytes in memory, read past the page cache where the file system can.
#pragma once

#include <algorithm>
#include <string>

#include "base/huge_pages.h"
#include "io/file_system.h"

namespace topicfs::wal {

class SegmentBuffer {
 public:
  /// The first `bytes` of a file, fewer if it is shorter. Valid until the next call. Errors: as of File.
  Result<ByteSpan> read(FileSystem& fs, const std::string& path, uint64_t bytes) {
    reserve(bytes);
    auto file = fs.open(path, OpenMode::read, SyncMethod::direct);
    // Only where there are no direct reads: after a failed sync the page cache shows bytes that no sync will ever make
    // durable (fsync(2) reports their loss once), and a log that goes on behind them breaks when they are gone.
    if (!file && file.error().code == Errc::kInvalidArgument) file = fs.open(path, OpenMode::read, SyncMethod::buffered);
    if (!file) return tl::unexpected<Error>(std::move(file).error());
    TRY_ASSIGN(size_t got, (*file)->read_at(0, {memory_.bytes().data(), bytes}));
    return ByteSpan(memory_.bytes().data(), got);
  }

  /// Likewise, from a disk that does not give all of it: what cannot be read is zeros, and counted in `unreadable`.
  Result<ByteSpan> read_what_can_be(FileSystem& fs, const std::string& path, uint64_t bytes, uint64_t& unreadable) {
    auto whole = read(fs, path, bytes);
    if (whole || whole.error().code != Errc::kIo) return whole;
    TRY_ASSIGN(auto file, fs.open(path, OpenMode::read, SyncMethod::buffered));
    TRY_ASSIGN(uint64_t size, file->size());
    size = std::min(size, bytes);
    for (uint64_t at = 0; at < size; at += kDirectAlignment) {
      MutableByteSpan block(memory_.bytes().data() + at, std::min<uint64_t>(kDirectAlignment, size - at));
      auto got = file->read_at(at, block);
      if (got && *got == block.size()) continue;
      std::fill(block.begin(), block.end(), std::byte{0});
      unreadable += block.size();
    }
    return ByteSpan(memory_.bytes().data(), size);
  }

 private:
  void reserve(uint64_t bytes) {
    if (bytes > memory_.bytes().size()) memory_ = HugeMemory(bytes);
  }

  HugeMemory memory_;
};

}  // namespace topicfs::wal
