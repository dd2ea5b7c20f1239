// Plan: what a seed does, as a list of operations that do not depend on each other's outcomes, so that a failure can be
// made shorter by leaving some out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <topicfs/types.h>

namespace topicfs::sim {

enum class Kind : uint8_t {
  append_text,
  append_batch,
  append_idempotent,  ///< a batch of an idempotent producer, again if its answer did not come, or for no reason
  burst,           ///< of appends to one partition, more than the pool may have room for
  sync,
  cancel,
  read_text,
  fetch,
  verify,          ///< everything, through both doors
  create_topic,
  add_partitions,
  change_settings,
  change_owner,
  delete_topic,
  commit_offsets,
  delete_offsets,
  save_group,
  delete_group,
  producer_ids,
  run,             ///< some tasks, or some time
  weather,         ///< of the object store: fine, slow, storm, outage
  outage,          ///< of hours
  clock_jump,
  late_put,        ///< of a dead process
  disk_fault,      ///< the next operation of a kind fails
  power_cut,
  power_cut_soon,  ///< at one of the next operations of the disk
  kill,
  kill_then_cut,   ///< the next process ends as well, soon after it has begun
  turn_over,       ///< of the whole log, while the disk may take no checkpoint; then the process ends
  restart,         ///< clean
  lose_disk,       ///< after a clean stop, or without one
  second_writer,   ///< another machine takes the bucket over, while this one goes on
  start_together,  ///< of this machine and another one, on the same bucket
  rot,             ///< the last operation: bits flip, and nothing wrong may be served
  lie,             ///< the last operation: syncs lie, then the power goes
  delete_records,
  read_deleted,    ///< what is before the log start
  find_timestamp,
  set_retention,   ///< retention.ms and retention.bytes of a topic, or none
  quiet_time,      ///< of hours
  fail_log,        ///< and perhaps all of the disk with it, which may be lost then
};
inline constexpr size_t kKinds = 42;
std::string_view name_of(Kind kind);

struct Step {
  Kind kind;
  uint64_t seed;  ///< of the numbers that the step draws
  size_t number;  ///< in the whole plan
};

/// The same seed, steps and kinds make the same plan for good: new kinds are added at the end, none goes, and none gets
/// another weight. `kinds` is how many there were when a seed was found.
std::vector<Step> make_plan(uint64_t seed, size_t steps, size_t kinds = kKinds);
/// Tells whether it is the same plan.
uint32_t checksum_of(const std::vector<Step>& plan);
/// "0-3,7": the numbers of a plan's steps, and the plan that has these alone.
std::string numbers_of(const std::vector<Step>& plan);
std::vector<Step> only(std::vector<Step> plan, const std::string& numbers);

}  // namespace topicfs::sim
