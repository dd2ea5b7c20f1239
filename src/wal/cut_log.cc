// Cutting a damaged log: the copies first, then zeros over what is behind the cut, from the last byte to the first,
// so that a cut that was interrupted leaves commits behind the damage and is refused as before.
#include <algorithm>

#include "wal/log_scan.h"
#include "wal/segment_buffer.h"

namespace topicfs::wal {
namespace {

constexpr uint64_t kStep = 1 << 20;

struct Target {
  std::string path;
  uint64_t from;  ///< what is behind goes
};

/// By segment; the one in which the log ends comes first.
std::vector<Target> targets_of(const LogScan& scan) {
  std::vector<Target> targets;
  for (const SegmentFile& f : scan.used)
    if (f.header.segment >= scan.end.segment()) targets.push_back({f.path, f.end});
  for (const std::string& path : scan.headless) targets.push_back({path, 0});
  return targets;
}

Result<void> keep(FileSystem& fs, const Target& target, const std::string& aside, std::vector<std::string>& kept) {
  std::string name = target.path.substr(target.path.rfind('/') + 1);
  TRY_ASSIGN(auto file, fs.open(target.path, OpenMode::read, SyncMethod::buffered));
  TRY_ASSIGN(uint64_t size, file->size());
  SegmentBuffer buffer;
  uint64_t unreadable = 0;
  TRY_ASSIGN(ByteSpan bytes, buffer.read_what_can_be(fs, target.path, align_up(size, kBlockBytes), unreadable));
  TRY(write_file(fs, aside, name, bytes));
  kept.push_back(aside + "/" + name);
  return {};
}

Result<void> erase(FileSystem& fs, const Target& target) {
  TRY_ASSIGN(auto file, fs.open(target.path, OpenMode::read_write, SyncMethod::buffered));
  TRY_ASSIGN(uint64_t size, file->size());
  const std::vector<std::byte> zeros(kStep);
  for (uint64_t end = size; end > target.from;) {
    uint64_t start = std::max(target.from, (end - 1) / kStep * kStep);
    TRY(file->write_at(start, {ByteSpan(zeros).first(end - start)}));
    TRY(file->sync());
    end = start;
  }
  return {};
}

/// A segment without commits, for the one that the checkpoint names and that is not there.
Result<void> stand_in(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                      uint64_t segment_bytes) {
  SegmentHeader header;
  header.segment = from.segment();
  header.bytes = segment_bytes;
  header.store = store;
  std::vector<std::byte> block(kBlockBytes);
  encode(header, block);
  return write_file(fs, directory, "segment-cut-" + std::to_string(from.segment()), block);
}

}  // namespace

Result<void> cut_log(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                     const LogScan& scan, const std::string& aside, std::vector<std::string>& kept) {
  std::vector<Target> targets = targets_of(scan);
  TRY(fs.make_directories(aside));
  for (const Target& t : targets) TRY(keep(fs, t, aside, kept));
  bool missing = from.v != 0 && (scan.used.empty() || scan.used.front().header.segment != from.segment());
  if (missing)
    TRY(stand_in(fs, directory, store, from, scan.used.empty() ? kMinSegmentBytes : scan.used.front().header.bytes));
  for (auto t = targets.rbegin(); t != targets.rend(); ++t) TRY(erase(fs, *t));
  return {};
}

}  // namespace topicfs::wal
