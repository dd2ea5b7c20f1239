#include "sim/forecast.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "metadata/checkpoint.h"
#include "wal/parse_commit.h"

namespace topicfs::sim {
namespace {

using testing::MemoryFileSystem;
using wal::kBlockBytes;

bool has_between(const std::set<uint64_t>& places, uint64_t from, uint64_t to) {
  auto first = places.lower_bound(from);
  return first != places.end() && *first < to;
}

bool is_identity(ByteSpan bytes) {
  std::string_view text = as_text(bytes);
  Uuid id;
  return text.ends_with('\n') && parse_uuid(text.substr(0, text.size() - 1), id);
}

struct Commit {
  wal::CommitBody body;
  uint32_t end = 0;
  std::vector<std::pair<wal::EntryHeader, uint32_t>> entries;  ///< and where they are

  /// A bit that counts, which those between its entries do not.
  bool is_hit(const std::set<uint64_t>& damaged) const {
    uint64_t at = body.start;
    for (const auto& [header, byte] : entries) {
      if (has_between(damaged, byte, byte + sizeof header + header.body_bytes)) return true;
      at = byte + wal::entry_footprint(header.body_bytes);
    }
    return has_between(damaged, at, at + wal::kCommitEntryBytes);
  }
};

std::optional<Commit> commit_at(ByteSpan segment, uint64_t at, uint32_t number) {
  Commit c;
  auto parsed = wal::parse_commit(segment, static_cast<uint32_t>(at), number,
                                  [&](const wal::EntryHeader& e, uint32_t byte) { c.entries.emplace_back(e, byte); });
  if (!parsed) return std::nullopt;
  c.body = parsed->body;
  c.end = parsed->end;
  return c;
}

struct Segment {
  std::string path;
  std::optional<wal::SegmentHeader> header;  ///< without the damage
  std::vector<std::byte> bytes, whole;       ///< as they are, and without the damage
  std::set<uint64_t> damaged;
  bool header_is_hit = false;
  uint64_t kept_end = kBlockBytes;           ///< of its last commit that is kept

  uint32_t number() const { return header->segment; }
};

class Reading {
 public:
  Reading(MemoryFileSystem& disk, const std::string& data_dir) : disk_(disk), dir_(data_dir) {}

  Forecast run() {
    read_files();
    read_segments();
    read_chain();
    if (forecast_.start == Start::comes_up || forecast_.start == Start::may_refuse) judge();
    return std::move(forecast_);
  }

 private:
  void refuse(Start start, std::string why) {
    forecast_.start = start;
    forecast_.why = std::move(why);
  }

  /// Those beside the log.
  void read_files() {
    for (const std::string& path : disk_.paths()) {
      auto image = disk_.image(path);
      bool hit = !image.damaged.empty();
      if (path == dir_ + "/epoch" && hit && forecast_.start == Start::comes_up)
        refuse(Start::may_refuse, "the epoch that was claimed last is damaged");
      if (path == dir_ + "/identity" && (hit || !is_identity(image.bytes)))
        refuse(Start::refuses_files, "the identity is damaged");
      if (path != dir_ + "/checkpoint") continue;
      if (hit) refuse(Start::refuses_files, "the checkpoint is damaged");
      auto checkpoint = decode_checkpoint(image.undamaged());
      if (!checkpoint) {
        refuse(Start::refuses_files, "the checkpoint: " + checkpoint.error().message());
        continue;
      }
      from_ = checkpoint->log_from;
      for (const auto& p : checkpoint->partitions) forecast_.ends[p.id] = forecast_.whole_ends[p.id] = p.state.end;
    }
  }

  void read_segments() {
    for (const std::string& path : disk_.paths()) {
      if (!path.starts_with(dir_ + "/wal/segment-")) continue;
      auto image = disk_.image(path);
      Segment s;
      s.path = path;
      s.whole = image.undamaged();
      s.bytes = std::move(image.bytes);
      s.damaged = std::move(image.damaged);
      if (auto header = wal::decode_segment_header(s.whole)) s.header = *header;
      s.header_is_hit = has_between(s.damaged, 0, sizeof(wal::SegmentHeader));
      segments_.push_back(std::move(s));
    }
    // Those without a header come last: where they belong cannot be told.
    auto number = [](const Segment& s) { return s.header ? uint64_t{s.number()} : UINT64_MAX; };
    std::stable_sort(segments_.begin(), segments_.end(), [&](const Segment& a, const Segment& b) { return number(a) < number(b); });
  }

  bool counts(const Segment& s) const { return s.header && s.number() >= from_.segment(); }

  /// The commits of the log as it was before it was damaged. They are kept up to the first that is hit.
  void read_chain() {
    auto first = std::find_if(segments_.begin(), segments_.end(), [&](const Segment& s) { return counts(s); });
    if (from_.v != 0 && (first == segments_.end() || first->number() != from_.segment() || first->header_is_hit)) begins_ = false;
    bool kept = begins_;
    uint64_t next = 0;  // 0: no commit yet
    uint32_t previous = 0;
    for (Segment& s : segments_) {
      if (!counts(s)) continue;
      uint64_t at = kBlockBytes;
      while (auto c = commit_at(s.whole, at, s.number())) {
        bool begins = c->body.number == 1 || (from_.v != 0 && s.number() == from_.segment());
        if (next == 0 ? !begins : c->body.number != next || c->body.previous != previous) break;
        next = c->body.number + 1, previous = c->body.checksum;
        at = c->end;
        if (kept && (s.header_is_hit || c->is_hit(s.damaged))) {
          kept = false;
          forecast_.why = fmt::format("commit {} in {} at byte {} is damaged", c->body.number, s.path, c->body.start);
        }
        take(*c, s, forecast_.whole_ends);
        if (!kept) continue;
        take(*c, s, forecast_.ends);
        kept_commits_ = c->body.number;
        s.kept_end = c->end;
        last_kept_ = s.number();
      }
    }
  }

  void take(const Commit& c, const Segment& s, std::map<PartitionId, Offset>& ends) {
    for (const auto& [header, byte] : c.entries) {
      if (header.type != wal::EntryType::batch || wal::LogPosition::at(s.number(), byte) < from_) continue;
      Offset& end = ends[PartitionId(header.partition)];
      end = std::max(end, Offset(header.base_offset) + int64_t{header.records});
    }
  }

  void judge() {
    if (!begins_) return refuse(Start::refuses_log, "the segment that the checkpoint names is missing");
    for (const Segment& s : segments_) {
      bool headless = !s.header || s.header_is_hit;
      if (!headless && (!counts(s) || s.number() < last_kept_)) continue;
      for (uint64_t at = headless ? 0 : s.kept_end; at + sizeof(wal::EntryHeader) <= s.bytes.size(); at += kBlockBytes) {
        auto c = commit_at(s.bytes, at, headless ? wal::load_entry(s.bytes.data() + at).segment : s.number());
        if (c && c->body.number > kept_commits_)
          return refuse(Start::refuses_log, fmt::format("{}; commit {} in {} at byte {} is whole", forecast_.why,
                                                        c->body.number, s.path, at));
      }
    }
  }

  MemoryFileSystem& disk_;
  const std::string& dir_;
  Forecast forecast_;
  wal::LogPosition from_;
  std::vector<Segment> segments_;  // by number
  bool begins_ = true;             // the segment is there that the checkpoint names
  uint64_t kept_commits_ = 0;      // number of the last
  uint32_t last_kept_ = 0;         // its segment
};

}  // namespace

Forecast foretell(MemoryFileSystem& disk, const std::string& data_dir) { return Reading(disk, data_dir).run(); }

std::optional<BatchPlace> batch_at(MemoryFileSystem& disk, const std::string& path, uint64_t position) {
  std::vector<std::byte> bytes = disk.image(path).undamaged();
  auto header = wal::decode_segment_header(bytes);
  if (!header) return std::nullopt;
  for (uint64_t at = kBlockBytes; at <= position;) {
    auto c = commit_at(bytes, at, header->segment);
    if (!c) return std::nullopt;
    for (const auto& [e, byte] : c->entries)
      if (byte <= position && position < byte + wal::entry_footprint(e.body_bytes))
        return BatchPlace{PartitionId(e.partition), Offset(e.base_offset), Offset(e.base_offset) + int64_t{e.records},
                          TextPosition(e.text_position), TextPosition(e.text_position) + e.text_bytes};
    at = c->end;
  }
  return std::nullopt;
}

}  // namespace topicfs::sim
