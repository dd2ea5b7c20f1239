// A directory of log segments as a disk may give it back: recovery and the scan of the tools must agree on it, whatever
// it is. Checksums are made right first, or no mutation would get past them.
//   input := flags: 1 byte, block*
//   block := length: 2 bytes little-endian; bytes: of one block, zeros follow
// kNewSegment in a length: the block is the first of the next segment; its header is not in the input.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "codec/endian.h"
#include "support/manual_executor.h"
#include "support/memory_file_system.h"
#include "wal/log_scan.h"
#include "wal/parse_commit.h"
#include "wal/recovery.h"

using namespace topicfs;
using namespace topicfs::wal;

namespace {

enum Flags : uint8_t { kKeepChecksums = 1, kSpoilLastHeader = 2, kFromSecondSegment = 4 };
constexpr uint16_t kNewSegment = 0x8000;
constexpr size_t kMaxSegments = 4, kMaxBlocks = 64;
constexpr uint64_t kSegmentBytes = kMinSegmentBytes;

using Image = std::vector<std::byte>;

Image new_segment(size_t number) {
  Image bytes(kBlockBytes);
  SegmentHeader header;
  header.segment = static_cast<uint32_t>(number), header.bytes = kSegmentBytes;
  encode(header, bytes);
  return bytes;
}

std::vector<Image> segments_of(ByteSpan input) {
  std::vector<Image> segments{new_segment(1)};
  for (size_t blocks = 0; input.size() >= 2 && blocks < kMaxBlocks; blocks++) {
    uint16_t length = 0;
    std::memcpy(&length, input.data(), sizeof length);
    input = input.subspan(sizeof length);
    if ((length & kNewSegment) && segments.size() < kMaxSegments) segments.push_back(new_segment(segments.size() + 1));
    ByteSpan here = input.first(std::min<size_t>({length & ~size_t{kNewSegment}, input.size(), kBlockBytes}));
    input = input.subspan(here.size());
    Image& to = segments.back();
    to.insert(to.end(), here.begin(), here.end());
    to.resize(align_up(to.size(), kBlockBytes));
  }
  return segments;
}

/// The entry at `at`, with its segment's number and its checksums made right; nullopt if it does not fit.
std::optional<EntryHeader> correct_entry(MutableByteSpan segment, size_t at, uint32_t number) {
  if (at + sizeof(EntryHeader) > segment.size()) return std::nullopt;
  EntryHeader e = load_entry(segment.data() + at);
  MutableByteSpan body = segment.subspan(at + sizeof e);
  if (e.body_bytes > body.size() || e.body_bytes < kBatchPrefixBytes) return std::nullopt;
  body = body.first(e.body_bytes);
  if (e.type == EntryType::batch)
    store_be<uint32_t>(body.data() + kBatchPrefixBytes - 4, crc32c(ByteSpan(body).subspan(kBatchPrefixBytes)));
  e.segment = number;
  e.crc = entry_crc(e, ByteSpan(body).first(covered_body_bytes(e.type, e.body_bytes)));
  store(e, segment.data() + at);
  return e;
}

/// Commits that start at each block, each chained to the one before if its number says that it follows.
void correct_checksums(MutableByteSpan segment, uint32_t number, CommitBody& last) {
  for (size_t start = kBlockBytes; start < segment.size();) {
    uint32_t crcs = 0;
    size_t at = start;
    std::optional<EntryHeader> e;
    while ((e = correct_entry(segment, at, number)) && e->type != EntryType::commit) {
      crcs = crc32c({reinterpret_cast<const std::byte*>(&e->crc), sizeof e->crc}, crcs);
      at += entry_footprint(e->body_bytes);
    }
    if (e && e->body_bytes == sizeof(CommitBody)) {
      std::byte* place = segment.data() + at + sizeof(EntryHeader);
      CommitBody body = load_commit(place);
      if (body.number == last.number + 1) body.previous = last.checksum;
      body.checksum = commit_checksum(crcs, body);
      store(body, place);
      MUST(correct_entry(segment, at, number));
      last = body;
      at += kCommitEntryBytes;
    }
    start = align_up(std::max(at, start + 1), kBlockBytes);
  }
}

struct Place {
  LogPosition at;
  int64_t base_offset;
  friend bool operator==(const Place&, const Place&) = default;
};

struct Recovering final : RecoveryHandler {
  std::vector<Place> entries;
  Result<void> on_entry(const RecoveredEntry& e) override {
    MUST(e.body.size() == e.header.body_bytes);
    entries.push_back({e.at, e.header.base_offset});
    return {};
  }
  void on_commit(LogPosition) override {}
};

struct Scanning final : ScanHandler {
  std::vector<Place> entries;
  void on_entry(const ScannedEntry& e) override { entries.push_back({e.at, e.header.base_offset}); }
};

void compare(FileSystem& fs, LogPosition from) {
  static const std::unique_ptr<ChunkPool> pool = std::move(*ChunkPool::create(4 << 20, 64 << 10));
  ManualExecutor executor;
  testing::ManualLogDevice device(executor);
  Scanning scanning;
  auto scan = scan_log(fs, "/wal", Uuid{}, from, scanning);
  MUST(scan);
  Recovering recovering;
  SegmentOptions options;
  options.directory = "/wal", options.segment_bytes = kSegmentBytes;
  Segments segments(options, fs, device, *pool);
  auto recovered = recover(fs, "/wal", Uuid{}, from, segments, recovering);
  MUST(scan->damage.has_value() == !recovered.has_value());
  if (!recovered) {
    MUST(recovered.error().code == Errc::kCorrupt);
    return;
  }
  MUST(scanning.entries == recovering.entries && scan->entries == recovered->entries);
  MUST(scan->commits == recovered->commits && scan->bytes == recovered->bytes);
  MUST(scan->torn_bytes == recovered->torn_bytes && scan->next_commit == recovered->start.commit);
  MUST(scan->commits == 0 || scan->end == recovered->end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const bool quiet = (set_up_logging("fuzz", LogLevel::error), true);
  if (size == 0 || !quiet) return 0;
  const uint8_t flags = data[0];
  const ByteSpan input{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  (void)decode_segment_header(input);
  std::vector<Image> segments = segments_of(input);
  testing::MemoryFileSystem fs;
  MUST(fs.make_directories("/wal"));
  CommitBody last;
  for (size_t i = 0; i < segments.size(); i++) {
    Image& bytes = segments[i];
    if (!(flags & kKeepChecksums)) correct_checksums(bytes, static_cast<uint32_t>(i + 1), last);
    if ((flags & kSpoilLastHeader) && i + 1 == segments.size()) bytes[0] ^= std::byte{1};
    auto file = fs.open("/wal/segment-" + std::to_string(i), OpenMode::create, SyncMethod::buffered);
    MUST(file && (*file)->write_at(0, {ByteSpan(bytes)}));
  }
  compare(fs, (flags & kFromSecondSegment) ? LogPosition::at(2, kBlockBytes) : LogPosition{});
  return 0;
}
