// LogCheck: the log of a data directory against the checkpoint beside it, without a daemon. Reads; changes nothing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "ctl/known_catalog.h"
#include "ctl/report.h"
#include "io/file_system.h"
#include "wal/log_scan.h"

namespace topicfs::ctl {

/// A data directory that no daemon uses while this lives.
struct HeldDirectory {
  std::string path;
  std::unique_ptr<FileLock> lock;
  Uuid store;
  std::optional<Checkpoint> checkpoint;  ///< none before the first offload
};

/// kNotFound: it is no data directory; kBusy: a daemon runs on it; kCorrupt: its identity or checkpoint is damaged.
Result<HeldDirectory> hold_directory(FileSystem& fs, const std::string& path);

/// What is gone with a damaged log, by partition.
struct LostRecords {
  Offset from, end;           ///< end: one behind the last offset that was seen
  int64_t kept_records = 0;   ///< in batches that are whole; the rest is damaged
  int64_t text_bytes = 0;     ///< of what was seen
};

class LogCheck final : private wal::ScanHandler {
 public:
  LogCheck(FileSystem& fs, HeldDirectory& directory, Report& report);

  /// Reads the log and reports what is wrong in it. Errors: as of wal::scan_log.
  Result<void> run();

  const wal::LogScan& scan() const { return scan_; }
  KnownCatalog& catalog() { return catalog_; }
  /// Where each partition ends with what recovery accepts.
  const std::map<PartitionId, Offset>& ends() const { return ends_; }
  /// For people: all that a cut would lose, exactly.
  std::vector<std::string> losses() const;
  std::string wal_directory() const { return directory_.path + "/wal"; }
  wal::LogPosition from() const;

 private:
  void on_plan(uint64_t bytes) override { report_.begin("log", bytes); }
  void on_read(uint64_t bytes) override { report_.advance(bytes); }
  void on_entry(const wal::ScannedEntry& entry) override;
  void on_lost(const wal::ScannedEntry& entry) override;
  void on_damaged(const wal::EntryHeader& header, wal::LogPosition at) override;

  void check_place(const wal::ScannedEntry& entry);
  void replay_control(const wal::ScannedEntry& entry);
  void judge_gaps();
  void note_loss(const wal::EntryHeader& header, int64_t kept_records);
  std::string place_of(const wal::ScannedEntry& entry) const;

  FileSystem& fs_;
  HeldDirectory& directory_;
  Report& report_;
  KnownCatalog catalog_;
  wal::LogScan scan_;
  Offset control_end_;
  std::map<PartitionId, Offset> ends_;
  std::map<PartitionId, TextPosition> text_ends_;
  std::vector<Gap> gaps_;
  std::map<PartitionId, LostRecords> lost_;
  std::vector<ControlRecord> lost_changes_;
  uint64_t lost_batches_ = 0, last_lost_sequence_ = 0;
};

}  // namespace topicfs::ctl
