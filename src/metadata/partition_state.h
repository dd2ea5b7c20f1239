// What is known of a partition without the log: its ends, and the extents that name its objects.
#pragma once

#include <vector>

#include <topicfs/types.h>

namespace topicfs {

/// A run of a partition's batches in one object.
struct Extent {
  Offset base, end;
  TextPosition text, text_end;
  int64_t max_timestamp = -1;
  int64_t bytes = 0;          ///< stored bytes of its batches
  uint32_t object = 0;        ///< index into the table of objects
};

/// As a checkpoint keeps it: everything up to the end of what was offloaded.
struct SavedPartition {
  Offset log_start, end;
  TextPosition text_start, text_end;
  WallMilliseconds modified{0};
  std::vector<Extent> extents;
  std::vector<EpochStart> epochs;  ///< leader epochs, ascending
};

}  // namespace topicfs
