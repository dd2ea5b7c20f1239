#include "wal/log_scan.h"

#include <fmt/core.h>

#include <algorithm>

#include "wal/commit_chain.h"
#include "wal/segment_buffer.h"

namespace topicfs::wal {
namespace {

/// The header of an entry whose own checksum holds, whatever its batch is like.
std::optional<EntryHeader> parse_entry_header(ByteSpan segment, uint64_t at, uint32_t number) {
  if (at + sizeof(EntryHeader) > segment.size()) return std::nullopt;
  EntryHeader e = load_entry(segment.data() + at);
  uint64_t body = at + sizeof e;
  bool sane = e.segment == number && e.type == EntryType::batch && e.body_bytes >= kBatchPrefixBytes &&
              e.body_bytes <= segment.size() - body;
  if (!sane || e.crc != entry_crc(e, segment.subspan(body, kBatchPrefixBytes))) return std::nullopt;
  return e;
}

class Scan {
 public:
  Scan(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from, ScanHandler& handler)
      : fs_(fs), directory_(directory), store_(store), from_(from), handler_(handler), chain_(from) {}

  Result<LogScan> run() {
    TRY(find_segments());
    for (SegmentFile& f : scan_.used) TRY(accept_commits(f));
    scan_.commits = chain_.commits();
    scan_.next_commit = chain_.next_commit();
    scan_.next_sequence = chain_.next_sequence();
    if (scan_.commits == 0) scan_.end = from_;
    TRY(look_behind());
    return std::move(scan_);
  }

 private:
  Result<void> find_segments() {
    TRY_ASSIGN(auto names, fs_.list(directory_));
    std::sort(names.begin(), names.end());
    uint64_t total = 0;
    for (const std::string& name : names) {
      if (!name.starts_with("segment-")) continue;
      SegmentFile f{directory_ + "/" + name, {}};
      TRY_ASSIGN(ByteSpan block, read(f.path, kBlockBytes));
      auto header = decode_segment_header(block);
      if (!header && header.error().code == Errc::kUnsupported)
        return fail(Errc::kUnsupported, f.path + ": " + header.error().what);
      if (!header) {
        scan_.headless.push_back(f.path);
        continue;
      }
      if (header->store != store_) return fail(Errc::kInvalidArgument, f.path + " belongs to another store");
      f.header = *header;
      if (header->segment < from_.segment()) scan_.free_files.push_back(f.path);
      else total += header->bytes, scan_.used.push_back(std::move(f));
    }
    std::sort(scan_.used.begin(), scan_.used.end(),
              [](const SegmentFile& a, const SegmentFile& b) { return a.header.segment < b.header.segment; });
    for (size_t i = 1; i < scan_.used.size(); i++)
      if (scan_.used[i].header.segment == scan_.used[i - 1].header.segment)
        return fail(Errc::kCorrupt, scan_.used[i].path + " and " + scan_.used[i - 1].path + " are the same segment");
    handler_.on_plan(total);
    return {};
  }

  Result<ByteSpan> read(const std::string& path, uint64_t bytes) {
    return buffer_.read_what_can_be(fs_, path, bytes, scan_.unreadable_bytes);
  }

  bool beginning_is_missing() const {
    return from_.v != 0 && (scan_.used.empty() || scan_.used.front().header.segment != from_.segment());
  }

  Result<void> accept_commits(SegmentFile& f) {
    TRY_ASSIGN(ByteSpan bytes, read(f.path, f.header.bytes));
    std::vector<ScannedEntry> entries;
    while (!beginning_is_missing()) {
      entries.clear();
      auto commit = parse_commit(bytes, f.end, f.header.segment, [&](const EntryHeader& e, uint32_t byte) {
        entries.push_back({e, LogPosition::at(f.header.segment, byte),
                           bytes.subspan(byte + sizeof(EntryHeader), e.body_bytes)});
      });
      if (!commit) break;
      if (!chain_.continues(f.header.segment, *commit, entries.empty() ? nullptr : &entries.front().header)) break;
      for (const ScannedEntry& e : entries) {
        if (e.at < from_ || e.header.type != EntryType::batch) continue;
        handler_.on_entry(e);
        scan_.entries++;
      }
      accept(f, *commit);
    }
    handler_.on_read(f.header.bytes);
    return {};
  }

  void accept(SegmentFile& f, const ParsedCommit& commit) {
    chain_.accept(commit);
    scan_.bytes += commit.end - f.end;
    f.end = commit.end;
    scan_.end = LogPosition::at(f.header.segment, f.end);
  }

  // ---- behind the last accepted commit

  Result<void> look_behind() {
    for (const SegmentFile& f : scan_.used) {
      if (f.header.segment < scan_.end.segment()) continue;
      TRY_ASSIGN(ByteSpan bytes, read(f.path, f.header.bytes));
      uint64_t before = damage_.commits_behind;
      look_for_commits(f.path, bytes, f.end, f.header.segment);
      // The damage is where a commit was begun, or else in the first segment with commits behind it.
      bool begun = parse_entry(bytes, f.end, f.header.segment) || parse_entry_header(bytes, f.end, f.header.segment);
      if (damage_.path.empty() && (begun || (before == 0 && damage_.commits_behind > 0)))
        damage_.path = f.path, damage_.what = describe(bytes, f);
      uint64_t torn = f.end;
      while (auto e = parse_entry(bytes, torn, f.header.segment)) torn += entry_footprint(e->body_bytes);
      scan_.torn_bytes += torn - f.end;
    }
    for (const std::string& path : scan_.headless) {
      TRY_ASSIGN(auto file, fs_.open(path, OpenMode::read, SyncMethod::buffered));
      TRY_ASSIGN(uint64_t size, file->size());
      TRY_ASSIGN(ByteSpan bytes, read(path, std::min(align_up(size, kBlockBytes), kMaxSegmentBytes)));
      for (uint64_t at = 0; at + sizeof(EntryHeader) <= bytes.size();)
        at = look_for_commit(path, bytes, static_cast<uint32_t>(at), load_entry(bytes.data() + at).segment);
    }
    judge();
    return {};
  }

  void look_for_commits(const std::string& path, ByteSpan bytes, uint32_t from, uint32_t number) {
    for (uint64_t at = from; at < bytes.size();) at = look_for_commit(path, bytes, static_cast<uint32_t>(at), number);
  }

  /// Notes what is at a block where a commit may start, and answers where to look next.
  uint64_t look_for_commit(const std::string& path, ByteSpan bytes, uint32_t at, uint32_t number) {
    std::vector<ScannedEntry> entries;
    auto commit = parse_commit(bytes, at, number, [&](const EntryHeader& e, uint32_t byte) {
      entries.push_back({e, LogPosition::at(number, byte), bytes.subspan(byte + sizeof(EntryHeader), e.body_bytes)});
    });
    if (!commit) {
      look_into_broken(bytes, at, number);
      return uint64_t{at} + kBlockBytes;
    }
    if (commit->body.number < scan_.next_commit) return commit->end;  // recovery takes no notice of it either
    if (damage_.commits_behind++ == 0) damage_.first_behind = commit->body.number, first_path_ = path;
    damage_.first_behind = std::min(damage_.first_behind, commit->body.number);
    if (commit->body.number >= damage_.last_behind) {
      damage_.last_behind = commit->body.number;
      damage_.last_at = LogPosition::at(number, at);
    }
    for (const ScannedEntry& e : entries)
      if (e.header.type == EntryType::batch) note_lost(e);
    return commit->end;
  }

  /// A commit that is not whole may hold entries that are.
  void look_into_broken(ByteSpan bytes, uint64_t at, uint32_t number) {
    while (auto header = parse_entry_header(bytes, at, number)) {
      ScannedEntry e{*header, LogPosition::at(number, static_cast<uint32_t>(at)),
                     bytes.subspan(at + sizeof(EntryHeader), header->body_bytes)};
      if (parse_entry(bytes, at, number)) note_lost(e);
      else if (e.at >= from_) handler_.on_damaged(*header, e.at);
      at += entry_footprint(header->body_bytes);
    }
  }

  void note_lost(const ScannedEntry& e) {
    if (e.at >= from_ && (e.header.sequence >= scan_.next_sequence || scan_.commits == 0)) handler_.on_lost(e);
  }

  /// What stands where the next commit should.
  std::string describe(ByteSpan bytes, const SegmentFile& f) {
    uint64_t at = f.end;
    uint32_t number = f.header.segment;
    auto commit = parse_commit(bytes, f.end, number, [](const EntryHeader&, uint32_t) {});
    if (commit) return fmt::format("commit {} stands at byte {} where commit {} should", commit->body.number, at,
                                   scan_.next_commit);
    while (auto e = parse_entry(bytes, at, number)) {
      if (e->type == EntryType::commit) return fmt::format("the end of commit {} at byte {} does not fit its entries",
                                                           load_commit(bytes.data() + at + sizeof *e).number, at);
      at += entry_footprint(e->body_bytes);
    }
    if (auto header = parse_entry_header(bytes, at, number))
      return damage_.partition = PartitionId(header->partition),
             fmt::format("the batch at byte {} (offset {}, {} records) fails its checksum", at, header->base_offset,
                         header->records);
    return fmt::format("the entry at byte {} fails its checksum", at);
  }

  void judge() {
    bool missing = beginning_is_missing();
    if (damage_.commits_behind == 0 && !missing) return;
    damage_.at = scan_.end;
    if (missing) {
      damage_.path = directory_;
      damage_.what = fmt::format("segment {} is missing, with which the log behind the checkpoint begins", from_.segment());
    } else if (damage_.path.empty()) {
      damage_.path = first_path_;
      damage_.what = "the segment's header is damaged";
    }
    scan_.damage = std::move(damage_);
    scan_.torn_bytes = 0;
  }

  FileSystem& fs_;
  const std::string& directory_;
  const Uuid& store_;
  const LogPosition from_;
  ScanHandler& handler_;
  LogScan scan_;
  LogDamage damage_;
  std::string first_path_;  // where the first commit behind the damage is
  SegmentBuffer buffer_;
  CommitChain chain_;
};

}  // namespace

Result<LogScan> scan_log(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                         ScanHandler& handler) {
  return Scan(fs, directory, store, from, handler).run();
}

}  // namespace topicfs::wal
