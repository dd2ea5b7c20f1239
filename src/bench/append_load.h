// Appends lines to the files of a directory from several threads: a topic of a mount, or a plain directory beside it.
#pragma once

#include "base/clock.h"
#include "bench/figures.h"

namespace topicfs::bench {

enum class Durability {
  none,   ///< write(2) alone
  sync,   ///< fdatasync(2) after each line
  dsync,  ///< O_DSYNC
};

struct AppendLoad {
  int files = 1;            ///< 0 .. files-1, created if need be
  int threads = 1;          ///< thread t appends to files t, t + threads, ... in turn
  size_t line_bytes = 100;  ///< with its newline; at least 1
  double seconds = 2;
  Durability durability = Durability::none;
};

inline constexpr int kMaxThreads = 256, kMaxFiles = 100'000;

/// kInvalidArgument (a number out of range), and whatever open and write report. Waits.
Result<Run> append(const std::string& directory, const AppendLoad& load, Clock& clock);

}  // namespace topicfs::bench
