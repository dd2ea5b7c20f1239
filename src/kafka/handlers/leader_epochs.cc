#include "kafka/handlers/leader_epochs.h"

#include <algorithm>

namespace topicfs::kafka {

ErrorCode check_leader_epoch(int32_t asked, int32_t current) {
  if (asked == -1 || asked == current) return ErrorCode::kNone;
  return asked < current ? ErrorCode::kFencedLeaderEpoch : ErrorCode::kUnknownLeaderEpoch;
}

EpochEnd end_of_epoch(std::span<const EpochStart> epochs, int32_t current, const PartitionEnds& ends, int32_t asked) {
  if (asked == current) return {current, ends.durable_end.v};
  if (asked < 0 || asked > current) return {};
  auto next = std::upper_bound(epochs.begin(), epochs.end(), asked,
                               [](int32_t epoch, const EpochStart& e) { return epoch < e.epoch; });
  // The current epoch began with the start of the daemon, though nothing may have been appended in it.
  int64_t end = next == epochs.end() ? ends.durable_end.v : next->start.v;
  end = std::max(end, ends.log_start.v);
  return {next == epochs.begin() ? asked : std::prev(next)->epoch, end};
}

int32_t epoch_at(std::span<const EpochStart> epochs, int32_t current, Offset offset) {
  int32_t epoch = epochs.empty() ? current : epochs.front().epoch;
  for (const EpochStart& e : epochs)
    if (e.start <= offset) epoch = e.epoch;
  return epoch;
}

}  // namespace topicfs::kafka
