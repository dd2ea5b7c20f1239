// Simulation: one engine, its clients and its misfortunes, driven by a seed in one thread, against a model of what was
// acknowledged and of what is in doubt.
//
// The oracle. While the engine runs: an append gets the place that the order of the calls gives it; what is read at a
// place is what was appended there; durable ends do not go back. After each restart: the log was cut at one point, in
// all partitions the same, behind everything that was acknowledged; appends are there whole or not at all; both doors
// show the same; the catalog and the groups are as acknowledged. A log start moves only where somebody asked for it or
// retention lets it, never back, and what is before it cannot be read; offsets and text positions stay. Of the bucket: bucket_check.h. When every fault is
// over, the engine works.
//
// Where a disk has lost bits, or has lied about syncs before its power went, forecast.h tells from its bytes whether the
// engine must come up or refuse, and where each partition then ends, which is exact. Nothing is lost that the disk had when
// it last owed nothing, nor what a clean stop has stored. What is refused is repaired as topicfsctl does it, which keeps all
// before the damage and nothing behind it; or is given up for what the bucket has. A lost bit in an object makes reads of
// what is in its block fail, or of all that is in an object of which it is the footer; nothing else fails, and no wrong byte
// is ever shown. Then life goes on.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "sim/bucket_check.h"
#include "sim/forecast.h"
#include "sim/group_text.h"
#include "sim/machine.h"
#include "support/partition_model.h"
#include "sim/plan.h"
#include "sim/remembered.h"

namespace topicfs::sim {

struct Outcome {
  std::string failure;          ///< empty: all held
  size_t failed_step = 0;
  uint64_t hash = 0;            ///< of all that happened: the same for the same plan
  uint64_t crashes = 0, appends = 0, objects = 0;
};

class Simulation final : private EngineListener {
 public:
  Simulation(uint64_t seed, std::vector<Step> plan, bool trace);
  ~Simulation() override;
  Outcome run();

 private:
  struct Topic {
    explicit Topic(std::string its_name) : name(std::move(its_name)) {}
    std::string name;
    Remembered state{"none"};
    Uuid id;
    std::vector<PartitionModel> partitions;
    bool busy = false;  ///< a change of it is under way
    std::vector<ModelLimits> limits{{}};  ///< on what it keeps: the last two, one of which may be in doubt
    bool is_there() const { return state.now() != "none" && !id.is_nil(); }
  };
  struct Group {
    explicit Group(std::string its_name) : name(std::move(its_name)) {}
    std::string name;
    Remembered state{""};  ///< GroupText
    bool busy = false;
  };
  /// An idempotent producer of one partition: its last batch, which it sends until it is answered.
  struct Producer {
    int64_t id = -1;
    int32_t next_sequence = 0;
    ModelAppend last;      ///< of order 0: none yet
    MonotonicTime used{0};
    bool answered = true;
  };
  struct Weather {
    int errors_percent = 0, lost_percent = 0, garbled_percent = 0, lagging_percent = 0;
    uint64_t latency_us = 2000;
    bool is_fine() const { return errors_percent + lost_percent + garbled_percent + lagging_percent == 0; }
  };
  struct ArmedFault {
    DiskOperation operation;
    std::string path;
    DiskFate fate;
    int count;
  };

  // simulation.cc
  void perform(const Step& step);
  void drive(uint64_t tasks);
  bool drive_until(const std::function<bool()>& done, int tasks = Machine::kMaxTasks);
  void fail(std::string what);
  void check(const Verdict& verdict) {
    if (!verdict.empty()) fail(verdict);
  }
  void note(std::string_view what);
  static EngineOptions make_options(SeededRandom& r);
  std::unique_ptr<Machine> make_machine(uint64_t first_life);
  DiskFate disk_fate(const testing::DiskRequest& request);
  MemoryObjectStore::Fate store_fate(const MemoryObjectStore::Request& request);
  void finish();

  // clients.cc
  void append_text(SeededRandom& r);
  void append_batch(SeededRandom& r);
  void append(PartitionModel& p, ModelAppend a, ByteSpan bytes, SeededRandom& r);
  void append_idempotent(SeededRandom& r);
  void send_idempotent(PartitionModel& partition, SeededRandom& r);
  void burst(SeededRandom& r);
  ModelAppend random_batch(SeededRandom& r, uint64_t order, const Producer* producer);
  void stamp(PartitionId id, ModelAppend& a);
  void on_append(PartitionId id, uint64_t order, Ack ack, Result<Appended> result);
  void sync(SeededRandom& r);
  void cancel(SeededRandom& r);
  void read_text(SeededRandom& r);
  void fetch(SeededRandom& r);
  bool may_fail(const Error& error);
  void acknowledged(uint64_t order);
  bool is_deleted(PartitionId id, TextPosition at);
  bool is_deleted(PartitionId id, Offset at);
  bool read_all(PartitionModel& p, SeededRandom& r);
  bool fetch_all(PartitionModel& p, SeededRandom& r);
  void verify(SeededRandom& r);
  PartitionModel* pick(SeededRandom& r);
  PartitionModel* find(PartitionId id);
  void on_durable(std::span<const PartitionId> partitions) override;

  // catalog_clients.cc
  void create_topic(SeededRandom& r);
  void change_topic(SeededRandom& r, Kind kind);
  void delete_topic(SeededRandom& r);
  void change_group(SeededRandom& r, Kind kind);
  void producer_ids(SeededRandom& r);
  Completion<TopicPtr> topic_changed(size_t topic);
  Completion<void> group_changed(size_t group);
  void know_topic(Topic& t, const TopicPtr& found, bool lost);
  std::string describe(const TopicPtr& topic);
  std::string describe(const std::string& group);
  void check_catalog(bool lost);
  void check_catalog_age(uint64_t last_kept);
  bool is_in_doubt(const Error& error);

  // log_starts.cc
  void delete_records(SeededRandom& r);
  void read_deleted(SeededRandom& r);
  void find_timestamp(SeededRandom& r);
  void set_retention(SeededRandom& r);
  void change_retention(Topic& t, std::map<std::string, std::optional<std::string>> changes);
  void quiet_time(MonotonicTime duration);
  void check_collected();
  void check_ends(PartitionModel& p, const PartitionEnds& ends);
  int64_t latest_wall();
  void on_trimmed(PartitionId id) override;
  void check_retention(SeededRandom& r);

  // misfortunes.cc
  void end(End how);
  void restart();
  void lose_disk(SeededRandom& r);
  void replace_disk();
  void fail_log(SeededRandom& r);
  void rescue(bool disk_is_dead);
  void is_stored();
  void open();
  void after_open();
  void arm_disk_fault(SeededRandom& r);
  void change_weather(SeededRandom& r);
  void outage(SeededRandom& r);
  void late_put(SeededRandom& r);
  void kill_twice(SeededRandom& r);
  void turn_over(SeededRandom& r);
  void second_writer(SeededRandom& r);
  void start_together(SeededRandom& r);
  std::unique_ptr<Machine> make_other_machine();
  Result<void> run_start();
  void know_epoch(Machine& machine);
  void write_as_zombie(SeededRandom& r);
  void end_zombie();
  void check_too_late();
  bool is_announced();
  void cut_all(uint64_t floor, bool lost);
  void accept_starts(bool lost, bool may_be_older);
  void calm();

  // damage.cc
  void rot(SeededRandom& r);
  void rot_in_bucket(SeededRandom& r);
  void rot_in_file(SeededRandom& r, bool in_log);
  void lie(SeededRandom& r);
  void take_down(End how);
  void live_on(SeededRandom& r);
  bool is_rotten(PartitionId id, TextPosition& at) const;
  bool is_rotten(PartitionId id, Offset& at) const;
  void mend_bucket();
  void foretell_start();
  bool is_right_to_refuse() const;
  void get_over_refusal();
  void repair();
  void check_damaged();
  const Forecast* forecast_of_open() const { return damaged_ && !disk_lost_ ? &forecast_ : nullptr; }

  const uint64_t seed_;
  const std::vector<Step> plan_;
  const bool trace_;
  SeededRandom random_;  // of the world; steps have their own
  std::shared_ptr<MemoryBucket> bucket_ = std::make_shared<MemoryBucket>();
  BucketCheck bucket_check_;
  const EngineOptions options_;
  const bool conditional_put_;   ///< the store's server has it; without, there is one writer, and lists are right
  const bool buffered_only_;     ///< the disk has no synchronous writes
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Machine> zombie_;  ///< a machine whose bucket another has taken over
  bool may_be_too_late_ = false;  ///< another machine may have written to the bucket while this one starts
  bool was_taken_over_ = false;  ///< another machine may have left something in the bucket
  std::set<int32_t> epochs_;     ///< of all machines that came up
  Outcome outcome_;
  size_t at_step_ = 0;

  std::vector<Topic> topics_;
  std::vector<Group> groups_;
  std::map<Uuid, std::vector<PartitionModel>> deleted_;  ///< topics: an older state of the bucket may bring them back
  uint64_t next_order_ = 1;
  uint64_t durable_floor_ = 0;   ///< appends up to here that have a place are safe on the disk
  uint64_t stored_floor_ = 0;    ///< ... and in the bucket
  std::vector<std::pair<uint64_t, RequestId>> waiting_;
  std::map<int64_t, int64_t> producer_ids_;  ///< ranges given
  std::map<PartitionId, Producer> producers_;
  int64_t next_producer_ = 1'000'000'000'000;  ///< far from those that are given
  int64_t latest_wall_ = 0;      ///< that any machine's clock has shown
  Weather weather_;
  std::vector<ArmedFault> armed_;
  bool disk_failed_ = false;     ///< in this life of the process, or before it opened
  bool poisoned_ = false;
  bool stopping_ = false;
  bool garbled_ = false;         ///< some answer of the store was, in this life of the process
  bool lists_lag_ = false;       ///< some list has left something out since the disk was lost
  bool disk_lost_ = false;       ///< the engine must come up from the bucket
  bool lying_ = false;           ///< syncs do
  bool damaged_ = false;         ///< the disk has lost bits, or what it had said was safe, since the last opening
  bool lied_ = false;            ///< it is that; else bits
  bool is_cut_ = false;          ///< ... and is repaired
  bool is_old_checkpoint_ = false;  ///< so that the newer one is lost
  uint64_t safe_floor_ = 0;      ///< durable_floor_ as of when the disk last owed nothing that it had said was safe
  Forecast forecast_;            ///< of the next opening, if damaged_
  std::vector<BatchPlace> rotten_;  ///< reads of these may fail
  struct RottenObject {
    MemoryBucket::Bytes before, after;
  };
  std::map<std::string, RottenObject> rotten_objects_;
  bool over_ = false;
};

}  // namespace topicfs::sim
