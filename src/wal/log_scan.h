// A reading of the log that changes nothing: how far recovery would accept it, what is wrong where it would not,
// and what is still whole behind that. For tools; recovery.h is what a daemon does, by the same rules, and a test
// holds the two to each other.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/file_system.h"
#include "wal/format.h"

namespace topicfs::wal {

struct ScannedEntry {
  EntryHeader header;
  LogPosition at;
  ByteSpan body;  ///< valid during the call
};

/// What a scan tells as it goes; nothing need be overridden.
class ScanHandler {
 public:
  virtual ~ScanHandler() = default;
  virtual void on_plan(uint64_t bytes) { (void)bytes; }   ///< how much will be read, before the first of it is
  virtual void on_read(uint64_t bytes) { (void)bytes; }   ///< so much more was
  /// A batch of an accepted commit, behind `from`; in order of the log.
  virtual void on_entry(const ScannedEntry& entry) { (void)entry; }
  /// A whole batch that recovery does not accept, because what is before it is damaged.
  virtual void on_lost(const ScannedEntry& entry) { (void)entry; }
  /// A batch behind the last accepted commit that is damaged itself, while its header is whole.
  virtual void on_damaged(const EntryHeader& header, LogPosition at) { (void)header, (void)at; }
};

/// Acknowledged data that cannot be read: recovery refuses such a log.
struct LogDamage {
  LogPosition at;                ///< the log is whole up to here
  std::string path;              ///< of the segment file
  std::string what;              ///< what is wrong there, for people
  std::optional<PartitionId> partition;  ///< whose batch it is, if that can be told
  uint64_t commits_behind = 0;   ///< whole ones
  uint64_t first_behind = 0, last_behind = 0;  ///< their lowest and highest number
  LogPosition last_at;           ///< where the last of them starts
};

struct SegmentFile {
  std::string path;
  SegmentHeader header;
  uint32_t end = kBlockBytes;    ///< behind its last accepted commit
};

struct LogScan {
  std::vector<SegmentFile> used;         ///< by number, from the segment on that the checkpoint names
  std::vector<std::string> free_files;   ///< older than that: nothing in them counts
  std::vector<std::string> headless;     ///< files without a valid header
  LogPosition end;                       ///< of the last accepted commit; `from` if there is none
  uint64_t commits = 0, entries = 0, bytes = 0;
  uint64_t next_commit = 1, next_sequence = 1;
  uint64_t torn_bytes = 0;               ///< whole entries without a commit at the end: not damage
  uint64_t unreadable_bytes = 0;         ///< that the disk did not give, in any segment
  std::optional<LogDamage> damage;
};

/// Reads every segment in `directory` from `from` on (0: all). Takes memory for one segment.
/// Errors: kNotFound, kIo (the directory), kInvalidArgument (another store's log), kUnsupported (a later version),
/// kCorrupt (two files claim to be the same segment: none can be preferred).
Result<LogScan> scan_log(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                         ScanHandler& handler);

/// Makes the log end where `scan` says that it is whole, so that recovery accepts it. Segments with anything behind
/// that are copied to `aside`, a new directory, before they are changed; the copies' names are added to `kept`. May
/// be repeated if it ended early: until it is done the log stays one that recovery refuses.
Result<void> cut_log(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                     const LogScan& scan, const std::string& aside, std::vector<std::string>& kept);

}  // namespace topicfs::wal
