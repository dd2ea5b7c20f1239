// What a crash left in the log: read past the page cache, accepted as far as the chain of commits holds.
// A torn tail (what was being written when the machine stopped) is dropped and reported; a break with commits
// behind it is damage to data that was acknowledged, and refused.
#pragma once

#include <string>

#include "wal/log.h"

namespace topicfs::wal {

struct RecoveredEntry {
  EntryHeader header;
  LogPosition at;
  ByteSpan body;  ///< valid during the call
};

class RecoveryHandler {
 public:
  virtual ~RecoveryHandler() = default;
  /// Every batch of every accepted commit, in order of the log. An error ends the recovery with it.
  virtual Result<void> on_entry(const RecoveredEntry& entry) = 0;
  /// A commit ended there; its entries were handed on.
  virtual void on_commit(LogPosition end) = 0;
};

struct Recovered {
  LogStart start;
  LogPosition end;            ///< of the last accepted commit; 0 if there is none
  uint64_t commits = 0, entries = 0, bytes = 0;
  uint64_t torn_bytes = 0;    ///< of entries without a commit, dropped
};

/// Reads every segment in `directory` from `from` on (0: all), hands what counts to `handler`, gives the
/// files to `segments`, and makes what was accepted durable again. Takes memory for one segment.
/// Errors: kCorrupt (damage, a segment missing; names file and byte), kInvalidArgument (another store's log), kIo.
Result<Recovered> recover(FileSystem& fs, const std::string& directory, const Uuid& store, LogPosition from,
                          Segments& segments, RecoveryHandler& handler);

}  // namespace topicfs::wal
