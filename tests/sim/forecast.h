// Forecast: what must come of a damaged data directory at the next start, told from the bytes on its disk by the grammar
// of topicfs-format(5), and from what the simulation knows that the engine does not: which bits have been flipped.
//
// The rules. A commit of which a bit that counts is flipped is lost, and with it all that stands behind it in the log. If
// no whole commit stands behind it, it is a torn tail: the log is cut there, and the engine comes up. Else the log is
// refused, and a repair cuts it at the same place. A flipped bit in what no checksum covers, because it means nothing, does
// nothing. A damaged checkpoint or identity is refused, and no repair helps.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "support/memory_file_system.h"
#include "wal/format.h"

namespace topicfs::sim {

enum class Start {
  comes_up,
  refuses_log,    ///< repair helps
  refuses_files,  ///< those beside the log
  may_refuse,
};

struct Forecast {
  Start start = Start::comes_up;
  std::string why;  ///< for people
  /// By partition: where it ends with the log up to the first damage, and where it would end without the damage. What is not
  /// there has no record.
  std::map<PartitionId, Offset> ends, whole_ends;
};

/// Of the data directory as it is, without a process.
Forecast foretell(testing::MemoryFileSystem& disk, const std::string& data_dir);

/// What of a partition is in the log's batch that has the byte of that segment file; none if no batch has it.
struct BatchPlace {
  PartitionId partition;
  Offset from, end;
  TextPosition text_from, text_end;
};
std::optional<BatchPlace> batch_at(testing::MemoryFileSystem& disk, const std::string& path, uint64_t position);

}  // namespace topicfs::sim
