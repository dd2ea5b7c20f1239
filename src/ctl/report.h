// What a check says while it runs: damage, remarks, and how far it is. Lines go to whoever made the report; how
// far it is, to a terminal only.
#pragma once

#include <functional>
#include <string>

#include <topicfs/types.h>

#include "base/clock.h"

namespace topicfs::ctl {

/// Offsets of a partition that are in no batch. Whether that is damage is known at the end: they may be deleted.
struct Gap {
  PartitionId partition;
  Offset end;
  std::string what;
};

class Report {
 public:
  /// More lines about damage are counted and not shown.
  static constexpr uint64_t kMaxShown = 200;

  using Print = std::function<void(const std::string& line)>;
  /// `print` gets whole lines without their end. `draw`, if it is set, gets the text of the progress bar, again and
  /// again, and "" when there is none.
  Report(Clock& clock, Print print, Print draw = {}) : clock_(clock), print_(std::move(print)), draw_(std::move(draw)) {}

  void damaged(const std::string& what);
  void say(const std::string& line);
  uint64_t damages() const { return damages_; }

  // ---- progress

  void begin(std::string what, uint64_t total_bytes);
  void advance(uint64_t bytes);
  void end();

 private:
  void redraw();

  Clock& clock_;
  Print print_, draw_;
  uint64_t damages_ = 0;
  std::string what_;
  uint64_t total_ = 0, done_ = 0;
  MonotonicTime drawn_{0};
};

/// "log      [#########...........]  45 %  1.20 GiB of 2.66 GiB"
std::string progress_bar(const std::string& what, uint64_t done_bytes, uint64_t total_bytes);

}  // namespace topicfs::ctl
