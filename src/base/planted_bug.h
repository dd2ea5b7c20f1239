// Bugs that a test-only build plants, one at a time, to show that the simulation (tests/sim) finds each of them.
// In every other build `planted` is a constant, and nothing of this is left.
#pragma once

namespace topicfs {

enum class PlantedBug {
  none,
  acknowledge_before_sync,      ///< an appender that waits for its sync is answered when its bytes have a place
  skip_epoch_check,             ///< a start takes an epoch that was claimed already
  ignore_chain,                 ///< recovery accepts a commit whatever came before it
  continue_in_found_segment,    ///< recovery does not raise the number of the next segment
  publish_before_second_sync,   ///< what recovery accepted is not made durable again
  reuse_key,                    ///< two objects of one epoch get the same key
  go_on_after_failed_sync,      ///< only those who waited for the sync that failed are told
  order_by_wake_up,             ///< an append that finds room overtakes those that wait for it
  no_directory_sync,            ///< a new segment's name is not made durable
  fetch_not_durable,            ///< consumers see what no sync has covered
  answer_duplicate_early,       ///< a batch that comes again is answered before its original is durable
  delete_before_upload,         ///< an object goes before the bucket has a checkpoint that does not name it
  free_before_checkpoint,       ///< segments are freed though the checkpoint that makes them superfluous was not written
  leave_orphans,                ///< what a crash left in the bucket stays there
};
inline constexpr int kPlantedBugs = 15;  ///< with none

#ifdef TOPICFS_PLANTED_BUGS
inline PlantedBug planted_bug = PlantedBug::none;
inline bool planted(PlantedBug bug) { return planted_bug == bug; }
#else
constexpr bool planted(PlantedBug) { return false; }
#endif

}  // namespace topicfs
