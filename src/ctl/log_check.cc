#include "ctl/log_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/random.h"
#include "ctl/batch_check.h"

namespace topicfs::ctl {
namespace {

constexpr uint64_t kMaxIdentityBytes = 4096;
constexpr size_t kMaxLostChanges = 1000;  // that are told one by one

std::string at(wal::LogPosition p) { return fmt::format("segment {} byte {}", p.segment(), p.byte()); }

Offset end_of(const wal::EntryHeader& h) { return Offset(h.base_offset) + int64_t{h.records}; }

}  // namespace

Result<HeldDirectory> hold_directory(FileSystem& fs, const std::string& path) {
  HeldDirectory held;
  held.path = path;
  auto identity = read_file(fs, path + "/identity", kMaxIdentityBytes);
  if (!identity && identity.error().code == Errc::kNotFound)
    return fail(Errc::kNotFound, path + " is not the data directory of a topicfs: it has no file \"identity\"");
  if (!identity) return tl::unexpected<Error>(identity.error());
  auto lock = fs.lock(path + "/lock");
  if (!lock && lock.error().code == Errc::kBusy)
    return fail(Errc::kBusy, lock.error().what + ": the log changes while a daemon runs on it");
  if (!lock) return tl::unexpected<Error>(lock.error());
  held.lock = std::move(*lock);
  std::string text(as_text(*identity));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!parse_uuid(text, held.store)) return fail(Errc::kCorrupt, path + "/identity does not hold a store's id");
  auto bytes = read_file(fs, path + "/checkpoint", kMaxCheckpointBytes);
  if (!bytes && bytes.error().code == Errc::kNotFound) return held;
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  auto checkpoint = decode_checkpoint(*bytes);
  if (!checkpoint)
    return fail(checkpoint.error().code,
                path + "/checkpoint: " + checkpoint.error().what +
                    "; without it the log's beginning is not known: restore it from a copy, or start topicfs with an "
                    "empty data directory to recover what is in the store");
  if (checkpoint->store != held.store) return fail(Errc::kCorrupt, path + "/checkpoint is another store's");
  held.checkpoint = std::move(*checkpoint);
  return held;
}

LogCheck::LogCheck(FileSystem& fs, HeldDirectory& directory, Report& report)
    : fs_(fs), directory_(directory), report_(report) {
  if (!directory_.checkpoint) return;
  catalog_.restore(*directory_.checkpoint);
  control_end_ = directory_.checkpoint->control_end;
  for (const auto& [id, p] : catalog_.partitions()) ends_[id] = p.stored_end, text_ends_[id] = p.stored_text;
}

wal::LogPosition LogCheck::from() const {
  return directory_.checkpoint ? directory_.checkpoint->log_from : wal::LogPosition{};
}

Result<void> LogCheck::run() {
  auto scan = wal::scan_log(fs_, wal_directory(), directory_.store, from(), *this);
  report_.end();
  if (!scan) return tl::unexpected<Error>(std::move(scan).error());
  scan_ = std::move(*scan);
  judge_gaps();
  if (scan_.unreadable_bytes > 0)
    report_.damaged(fmt::format("the disk does not give {} bytes of the log in {}", scan_.unreadable_bytes, wal_directory()));
  if (scan_.damage)
    report_.damaged(fmt::format("{}: {}{}; the log is whole up to {}, and {} commits behind it ({} to {}) had been acknowledged",
                                scan_.damage->path,
                                scan_.damage->partition ? catalog_.name_of(*scan_.damage->partition) + ": " : "",
                                scan_.damage->what, at(scan_.damage->at), scan_.damage->commits_behind,
                                scan_.damage->first_behind, scan_.damage->last_behind));
  if (scan_.torn_bytes > 0)
    report_.say(fmt::format("the log's last {} bytes were being written when it stopped; they had not been acknowledged",
                            scan_.torn_bytes));
  return {};
}

// ---- what recovery accepts

std::string LogCheck::place_of(const wal::ScannedEntry& e) const {
  return fmt::format("{}: {} offset {}", at(e.at), catalog_.name_of(PartitionId(e.header.partition)), e.header.base_offset);
}

void LogCheck::on_entry(const wal::ScannedEntry& e) {
  SaidOfBatch said{Offset(e.header.base_offset), end_of(e.header), static_cast<uint64_t>(e.header.text_bytes)};
  if (auto r = check_batch(e.body, said); !r) report_.damaged(place_of(e) + ": " + r.error().what);
  PartitionId id(e.header.partition);
  if (!catalog_.find(id)) return;  // of a topic that was deleted
  check_place(e);
  if (id == kControlPartition) replay_control(e);
}

/// Offsets and text positions go on where the batch before ended.
void LogCheck::check_place(const wal::ScannedEntry& e) {
  PartitionId id(e.header.partition);
  Offset& end = ends_[id];
  TextPosition& text = text_ends_[id];
  Offset base(e.header.base_offset);
  TextPosition position(e.header.text_position);
  if (base > end)
    gaps_.push_back({id, base, fmt::format("{}, but the partition goes on at {}", place_of(e), end.v)});
  else if (base < end)
    report_.damaged(fmt::format("{}, but the partition has offsets up to {} already", place_of(e), end.v - 1));
  else if (position != text)
    report_.damaged(fmt::format("{}: its text is at {}, but the partition's goes on at {}", place_of(e), position.v, text.v));
  end = std::max(end, end_of(e.header));
  text = std::max(text, position + e.header.text_bytes);
}

void LogCheck::judge_gaps() {
  for (const Gap& gap : gaps_)
    if (!catalog_.is_deleted_below(gap.partition, gap.end)) report_.damaged(gap.what);
}

void LogCheck::replay_control(const wal::ScannedEntry& e) {
  auto records = control_records_of(e.body);
  if (!records) return report_.damaged(place_of(e) + ": " + records.error().what);
  Offset offset(e.header.base_offset);
  for (const ControlRecord& r : *records) {
    if (offset >= control_end_) catalog_.replay(r);
    offset += 1;
  }
}

// ---- what it does not

void LogCheck::note_loss(const wal::EntryHeader& h, int64_t kept_records) {
  PartitionId id(h.partition);
  Offset from = ends_[id];
  LostRecords& lost = lost_.try_emplace(id, LostRecords{from, from}).first->second;
  lost.end = std::max(lost.end, end_of(h));
  lost.kept_records += kept_records;
  lost.text_bytes += h.text_bytes;
  lost_batches_++;
  last_lost_sequence_ = std::max(last_lost_sequence_, h.sequence);
}

void LogCheck::on_lost(const wal::ScannedEntry& e) {
  note_loss(e.header, e.header.records);
  if (PartitionId(e.header.partition) != kControlPartition) return;
  auto records = control_records_of(e.body);
  if (!records) return;
  for (ControlRecord& r : *records) {
    catalog_.replay(r);  // for the names
    lost_changes_.push_back(std::move(r));
  }
}

void LogCheck::on_damaged(const wal::EntryHeader& h, wal::LogPosition) { note_loss(h, 0); }

std::vector<std::string> LogCheck::losses() const {
  std::vector<std::string> lines;
  for (const auto& [id, lost] : lost_) {
    if (id == kControlPartition) continue;
    lines.push_back(fmt::format("{}: {} records, offsets {} to {}; {} of them are in whole batches", catalog_.name_of(id),
                                lost.end - lost.from, lost.from.v, lost.end.v - 1, lost.kept_records));
  }
  for (size_t i = 0; i < std::min(lost_changes_.size(), kMaxLostChanges); i++)
    lines.push_back("a change of the catalog: " + describe(lost_changes_[i]));
  if (lost_changes_.size() > kMaxLostChanges)
    lines.push_back(fmt::format("{} further changes of the catalog", lost_changes_.size() - kMaxLostChanges));
  uint64_t all = last_lost_sequence_ >= scan_.next_sequence ? last_lost_sequence_ - scan_.next_sequence + 1 : 0;
  if (scan_.commits > 0 && all > lost_batches_)
    lines.push_back(fmt::format("{} batches in damaged bytes, of which nothing can be read; where they are of the partitions "
                                "above, their records are counted there", all - lost_batches_));
  if (scan_.commits == 0 && scan_.damage)
    lines.push_back("what stood before the first whole commit; how much that was, nothing tells");
  return lines;
}

}  // namespace topicfs::ctl
