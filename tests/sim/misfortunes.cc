// What goes wrong, and what must be there afterwards.
#include <fmt/core.h>

#include <algorithm>
#include <climits>

#include "sim/simulation.h"

namespace topicfs::sim {
namespace {

constexpr int kMaxOpenings = 40;      // of one start, each after a failure that may be
constexpr int kOpeningsInTrouble = 6; // then the faults are over
constexpr uint64_t kRequestsOfStart = 4;  // to the store, until an epoch is claimed

}  // namespace

// ---- ends and beginnings

void Simulation::end(End how) {
  note(how == End::killed ? "killed" : "power cut");
  outcome_.crashes++;
  take_down(how);
  open();
}

void Simulation::restart() {
  note("stop");
  bool poisoned = poisoned_;
  stopping_ = true;
  Result<void> stopped = machine_->stop(std::chrono::seconds(random_.between(1, 60)));
  stopping_ = false;
  if (!machine_->has_power()) return end(End::power_cut);
  note(stopped ? "stopped" : "stopped: " + stopped.error().message());
  if (!stopped && stopped.error().code == Errc::kTimedOut && stopped.error().what.find("never ends") != std::string::npos)
    return fail(stopped.error().message());
  poisoned_ |= !stopped && stopped.error().code == Errc::kReadOnly;
  // Nothing that had a place is lost by an orderly end, whatever the store does.
  if (!poisoned && !poisoned_ && !disk_failed_) durable_floor_ = next_order_ - 1;
  if (stopped && !poisoned_) is_stored();
  open();
}

/// What was acknowledged is in the store.
void Simulation::is_stored() {
  stored_floor_ = durable_floor_;
  for (Topic& t : topics_) {
    t.state.is_stored();
    for (PartitionModel& p : t.partitions) p.start_is_stored();
  }
  for (Group& g : groups_) g.state.is_stored();
}

/// The process ends, and soon after it has come up, the next one too: with a log that has just begun.
void Simulation::kill_twice(SeededRandom& r) {
  if (r.coin()) append_text(r);
  drive(r.below(6));
  if (over_ || !outcome_.failure.empty()) return;
  end(End::killed);
  if (over_ || !outcome_.failure.empty()) return;
  if (r.coin()) append_text(r);
  drive(r.below(6));
  if (!over_ && outcome_.failure.empty()) end(r.percent(30) ? End::killed : End::power_cut);
}

/// The log goes once around, and the disk may be too full for checkpoints all the while; then the process ends.
void Simulation::turn_over(SeededRandom& r) {
  calm();
  const Error full{Errc::kNoSpace, 28, "No space left on device"};
  if (r.coin()) armed_.push_back({DiskOperation::write, "checkpoint", {full, DiskFate::Effect::some}, 1000});
  uint64_t life = machine_->life();
  auto goes_on = [&] { return machine_->life() == life && !over_ && outcome_.failure.empty(); };
  for (size_t i = r.between(4, 16); i > 0 && goes_on(); i--) burst(r), drive(r.below(100));
  armed_.clear();
  if (goes_on()) end(r.coin() ? End::killed : End::power_cut);
}

std::unique_ptr<Machine> Simulation::make_other_machine() {
  auto other = make_machine(machine_->life() + 1'000'000);
  other->disk.set_faults([this](const testing::DiskRequest& q) { return disk_fate(q); }, [this] { return random_.coin(); });
  return other;
}

/// Once the other machine is up: what was in the bucket before that is the bucket's. What clients are told here counts no
/// more.
void Simulation::write_as_zombie(SeededRandom& r) {
  for (size_t i = r.below(30); i > 0; i--) {
    for (const TopicPtr& t : zombie_->engine().list_topics()) {
      if (t->partitions.empty()) continue;
      ByteSpan piece = as_byte_span("said by the old machine\n");
      PartitionId id = t->partitions[r.below(t->partitions.size())].id;
      zombie_->engine().append_text(id, {&piece, 1}, LastLine::complete, {}, [](Result<Appended>) {});
      if (i % 5 == 0) zombie_->engine().delete_records(id, Engine::kDurableEnd, [](Result<Offset>) {});
    }
  }
}

/// Another machine, with an empty disk, takes the bucket over. The one before goes on for a while and does not know: what
/// it does to the bucket must not matter. From here on the new one is the engine.
void Simulation::second_writer(SeededRandom& r) {
  if (zombie_ || poisoned_ || !conditional_put_ || !machine_->is_up()) return;
  note("another machine takes over");
  auto other = make_other_machine();
  machine_->engine().remove_listener(this);
  zombie_ = std::exchange(machine_, std::move(other));
  disk_lost_ = was_taken_over_ = true;
  lists_lag_ = false;
  open();
  if (!over_ && outcome_.failure.empty() && zombie_) write_as_zombie(r);
}

/// This machine starts anew, and another one, with an empty disk, starts on the same bucket at the same time. The later
/// claim has the bucket; the machine that made the earlier one does not know.
void Simulation::start_together(SeededRandom& r) {
  if (zombie_ || poisoned_ || !conditional_put_ || !machine_->is_up()) return;
  note("another machine starts with this one");
  was_taken_over_ = true;
  machine_->end(r.coin() ? End::killed : End::power_cut);
  outcome_.crashes++;
  zombie_ = make_other_machine();
  zombie_->start();
  may_be_too_late_ = true;
  open();
  may_be_too_late_ = false;
  for (int i = 0; i < Machine::kMaxTasks && !zombie_->has_started() && zombie_->run_next(); i++) {}
  if (over_ || !outcome_.failure.empty()) return;
  if (Result<void> opened = zombie_->take_outcome(); !opened) {
    note("the other machine does not open: " + opened.error().message());
    if (!machine_->is_up()) return fail("of two machines that start together, both are refused");
    return end_zombie();
  }
  know_epoch(*zombie_);
  if (!machine_->is_up() || zombie_->engine().leader_epoch() > machine_->engine().leader_epoch()) {
    note("the other machine has the bucket");
    if (machine_->is_up()) machine_->engine().remove_listener(this);
    std::swap(machine_, zombie_);
    if (!zombie_->is_up()) zombie_.reset();
    disk_lost_ = true;
    after_open();
  }
  if (outcome_.failure.empty() && zombie_) write_as_zombie(r);
}

/// Each start has an epoch of its own, whatever other machines do.
void Simulation::know_epoch(Machine& machine) {
  if (int32_t epoch = machine.engine().leader_epoch(); !epochs_.insert(epoch).second)
    fail(fmt::format("epoch {} has been claimed twice", epoch));
}

void Simulation::end_zombie() {
  if (!zombie_) return;
  note("the old machine ends");
  zombie_->end(zombie_->has_power() ? End::killed : End::power_cut);
  for (auto& put : zombie_->late_puts) machine_->late_puts.push_back(std::move(put));
  zombie_.reset();
}

/// Whether the bucket's newest checkpoint is of the newest epoch.
bool Simulation::is_announced() {
  MutexLock l(bucket_->mutex);
  std::string epoch, checkpoint;
  for (const auto& [key, bytes] : bucket_->objects) {
    if (key.starts_with("epochs/")) epoch = key.substr(7);
    if (key.starts_with("checkpoints/")) checkpoint = key.substr(12, 16);
  }
  return epoch == checkpoint;
}

/// The old machine starts again, with the data directory that it had: it must not come up on a bucket that another has
/// written to since.
void Simulation::check_too_late() {
  note("the old machine starts again");
  zombie_->end(zombie_->has_power() ? End::killed : End::power_cut);
  zombie_->start();
  for (int i = 0; i < Machine::kMaxTasks && !zombie_->has_started() && zombie_->run_next(); i++) {}
  if (Result<void> opened = zombie_->take_outcome(); opened) fail("the old machine opens a bucket that another has written to");
  else note("it does not open: " + opened.error().message());
}

void Simulation::lose_disk(SeededRandom& r) {
  // Until it has put something there, a machine that took over leaves no trace but its epoch: after its loss the bucket
  // still is what the old one made of it.
  if (was_taken_over_ && !is_announced()) return;
  if (r.coin() && !poisoned_) {
    restart();
    if (!outcome_.failure.empty() || over_) return;
  }
  machine_->end(End::power_cut);
  replace_disk();
}

void Simulation::replace_disk() {
  note("disk lost");
  machine_->disk.wipe();
  disk_lost_ = true;
  lists_lag_ = false;
  open();
}

/// A write to the log fails, and perhaps all that come after it, to whatever file. The process may end, and the disk be lost.
void Simulation::fail_log(SeededRandom& r) {
  const Error broken{Errc::kIo, 5, "Input/output error"};
  auto fails = [&](DiskOperation operation, std::string path, int count) {
    armed_.push_back({operation, std::move(path), {broken, r.coin() ? DiskFate::Effect::some : DiskFate::Effect::none}, count});
  };
  bool dead = r.coin();
  fails(r.percent(70) ? DiskOperation::write : DiskOperation::sync, "segment-", 1);
  for (DiskOperation o : {DiskOperation::write, DiskOperation::sync})
    if (dead) fails(o, "", INT_MAX);
  uint64_t life = machine_->life();
  for (size_t i = r.between(1, 5); i > 0; i--) append_text(r);
  drive_until([&] { return poisoned_; }, 1000);
  if (machine_->life() != life || over_ || !outcome_.failure.empty() || !poisoned_) return armed_.clear();
  if (r.percent(50) && !damaged_ && !(was_taken_over_ && !is_announced())) return rescue(dead);
  drive(r.below(200));
  if (r.coin() && machine_->life() == life) restart();
}

/// The log has failed, and the store is there: when the process has ended, what was acknowledged is in the store.
void Simulation::rescue(bool disk_is_dead) {
  std::vector<ArmedFault> dead = disk_is_dead ? armed_ : std::vector<ArmedFault>();
  calm();
  armed_ = std::move(dead);
  stopping_ = true;
  Result<void> stopped = machine_->stop(std::chrono::hours(1));
  stopping_ = false;
  armed_.clear();
  if (!machine_->has_power()) return end(End::power_cut);
  note("rescued: " + (stopped ? "the log had not failed" : stopped.error().message()));
  if (stopped || stopped.error().what.find("all that was acknowledged before is in") == std::string::npos)
    return fail("what was acknowledged before the log failed is not in the store");
  is_stored();
  replace_disk();
}

/// Starts the engine, again and again if faults do not let it come up.
void Simulation::open() {
  for (int i = 0; i < kMaxOpenings; i++) {
    if (i == kOpeningsInTrouble) calm();
    bool cut = i < kOpeningsInTrouble && random_.percent(15);
    if (cut) machine_->disk.cut_power_after(random_.between(1, 300));
    bool failed_before = std::exchange(disk_failed_, false);
    garbled_ = false;
    foretell_start();
    Result<void> opened = run_start();
    if (opened) {
      disk_failed_ |= failed_before;
      return after_open();
    }
    note("not opened: " + opened.error().message());
    if (may_be_too_late_ && opened.error().what.find("with another data directory") != std::string::npos)
      return machine_->end(End::killed);
    bool power = machine_->has_power();
    take_down(power ? End::killed : End::power_cut);
    if (!power) {
      outcome_.crashes++;
      continue;
    }
    if (is_right_to_refuse()) return get_over_refusal();
    if (!disk_failed_ && weather_.is_fine() && !garbled_ && !lists_lag_)
      return fail("the engine does not open: " + opened.error().message());
  }
  fail("the engine does not open, though every fault is over");
}

/// Other machines go on meanwhile.
Result<void> Simulation::run_start() {
  machine_->start();
  for (int i = 0; i < Machine::kMaxTasks && machine_->has_power() && !machine_->has_started(); i++) {
    if (zombie_ && random_.coin()) zombie_->run_next();
    if (!machine_->run_next()) break;
  }
  Result<void> opened = machine_->take_outcome();
  if (opened) know_epoch(*machine_);
  return opened;
}

void Simulation::after_open() {
  machine_->engine().add_listener(this);
  poisoned_ = false;
  waiting_.clear();
  bool lost = std::exchange(disk_lost_, false);
  if (lost && lists_lag_) {
    note("an older state of the bucket was found");
    return void(over_ = true);  // what it names may be gone; no store in use has lists that lag
  }
  const bool damaged = std::exchange(damaged_, false);
  if (damaged && !lost) check_damaged();
  lied_ = is_cut_ = is_old_checkpoint_ = false;
  uint64_t floor = lost || damaged ? stored_floor_ : durable_floor_;
  check_catalog(lost || damaged);
  if (lost || damaged) producers_.clear();  // more than their last batch may be gone
  cut_all(floor, lost || damaged);
  if (!outcome_.failure.empty()) return;
  check_catalog_age(durable_floor_);
  accept_starts(lost || damaged, lists_lag_);
  check(bucket_check_.take_failure());
  if (!lists_lag_ && rotten_objects_.empty()) check(bucket_check_.check_references());
  SeededRandom r(random_.next());
  if (r.percent(30) && outcome_.failure.empty() && machine_->has_power()) verify(r);
}

/// The log ends at one point, in all partitions the same; what was acknowledged is before it.
void Simulation::cut_all(uint64_t floor, bool lost) {
  PartitionModel::Cut all;
  for (Topic& t : topics_) {
    for (PartitionModel& p : t.partitions) {
      PartitionModel::Cut cut;
      auto ends = machine_->engine().ends(p.id);
      if (!ends) return fail(fmt::format("partition {} is gone", p.id.v));
      if (Verdict v = p.cut_at(*ends, lost, cut); !v.empty()) return fail(v);
      if (cut.lost_from < p.durable_seen && !lost)
        return fail(fmt::format("partition {} ends at {} after a restart; its durable end had been seen at {}", p.id.v,
                                cut.lost_from.v, p.durable_seen.v));
      p.durable_seen = ends->durable_end;
      all.last_kept = std::max(all.last_kept, cut.last_kept);
      all.first_lost = std::min(all.first_lost, cut.first_lost);
    }
  }
  note(fmt::format("opened: appends up to {} are there", all.last_kept));
  if (all.first_lost < all.last_kept)
    fail(fmt::format("append {} is lost, and append {}, made after it, is there", all.first_lost, all.last_kept));
  if (all.first_lost <= floor) fail(fmt::format("append {} is lost; {} was acknowledged", all.first_lost, floor));
  durable_floor_ = all.last_kept;
  safe_floor_ = machine_->disk.has_lied() ? std::min(safe_floor_, durable_floor_) : durable_floor_;
  stored_floor_ = std::min(stored_floor_, all.last_kept);
}

/// Every fault is over.
void Simulation::calm() {
  weather_ = {};
  armed_.clear();
  disk_failed_ = false;
  if (machine_->has_power()) machine_->disk.set_power(true);
}

// ---- the disk

DiskFate Simulation::disk_fate(const testing::DiskRequest& request) {
  if (buffered_only_ && request.operation == DiskOperation::open && request.path.ends_with("/probe") &&
      (request.method == SyncMethod::direct_dsync || request.method == SyncMethod::buffered_dsync))
    return {{Errc::kInvalidArgument, 22, "not on this file system"}, DiskFate::Effect::none};
  if (lying_ && (request.operation == DiskOperation::sync || request.operation == DiskOperation::write))
    return {{}, random_.coin() ? DiskFate::Effect::none : DiskFate::Effect::all};
  for (ArmedFault& f : armed_) {
    if (f.count == 0 || f.operation != request.operation || request.path.find(f.path) == std::string_view::npos) continue;
    f.count--;
    disk_failed_ = true;
    note(fmt::format("the disk fails: {}", f.fate.error.what));
    return f.fate;
  }
  return {};
}

void Simulation::arm_disk_fault(SeededRandom& r) {
  struct Fault {
    DiskOperation operation;
    const char* path;
    DiskFate fate;
  };
  const Error io{Errc::kIo, 5, "Input/output error"}, full{Errc::kNoSpace, 28, "No space left on device"};
  const Fault kFaults[] = {
      {DiskOperation::write, "segment-", {io, DiskFate::Effect::none}},
      {DiskOperation::write, "segment-", {io, DiskFate::Effect::some}},
      {DiskOperation::write, "segment-", {full, DiskFate::Effect::some}},
      {DiskOperation::sync, "segment-", {io, DiskFate::Effect::some}},
      {DiskOperation::sync, "segment-", {io, DiskFate::Effect::none}},
      {DiskOperation::write, "checkpoint", {full, DiskFate::Effect::some}},
      {DiskOperation::sync, "checkpoint", {io, DiskFate::Effect::some}},
      {DiskOperation::rename, "checkpoint", {io, DiskFate::Effect::none}},
      {DiskOperation::sync_directory, "", {io, DiskFate::Effect::none}},
      {DiskOperation::open, "segment-", {io, DiskFate::Effect::none}},
      {DiskOperation::read, "segment-", {io, DiskFate::Effect::none}},
      {DiskOperation::list, "", {io, DiskFate::Effect::none}},
  };
  const Fault& f = kFaults[r.below(std::size(kFaults))];
  armed_.push_back({f.operation, f.path, f.fate, static_cast<int>(r.between(1, 3))});
  if (armed_.size() > 8) armed_.erase(armed_.begin());
}

// ---- the store

MemoryObjectStore::Fate Simulation::store_fate(const MemoryObjectStore::Request& request) {
  MemoryObjectStore::Fate fate;
  fate.latency = std::chrono::microseconds(random_.below(weather_.latency_us));
  auto percent = [this](int p) { return p > 0 && random_.percent(static_cast<uint64_t>(p)); };
  if (percent(weather_.errors_percent)) {
    fate.error = {Errc::kUnavailable, 0, "503 Slow Down"};
    fate.effect = MemoryObjectStore::Fate::Effect::none;
  } else if (percent(weather_.lost_percent)) {
    fate.error = {Errc::kUnavailable, 0, "the connection was reset"};
  }
  if (percent(weather_.garbled_percent)) {
    if (random_.coin()) fate.garbled = true;
    else fate.cut_bytes = random_.between(1, uint64_t{1} << random_.between(1, 20));
    garbled_ = true;
  }
  bool is_list = request.verb == MemoryObjectStore::Verb::list, of_claims = is_list && request.key.starts_with("epochs/");
  if (of_claims && request.number < kRequestsOfStart && conditional_put_ && random_.percent(10)) {
    // Claims stay in the bucket, so that a start runs into those that its list has left out, one by one.
    fate.hidden_keys = random_.between(1, 4);
  } else if (is_list && percent(weather_.lagging_percent)) {
    // No store in use has lists that lag; the engine does not claim to stand more.
    fate.hidden_keys = of_claims ? 1 : random_.between(1, 2);
    lists_lag_ = true;
  }
  return fate;
}

void Simulation::change_weather(SeededRandom& r) {
  weather_ = {};
  weather_.latency_us = uint64_t{1000} << r.below(10);
  if (r.percent(40)) return;
  weather_.errors_percent = static_cast<int>(r.percent(50) ? r.below(90) : 0);
  weather_.lost_percent = static_cast<int>(r.percent(50) ? r.below(50) : 0);
  weather_.garbled_percent = static_cast<int>(r.percent(30) ? r.below(20) : 0);
  weather_.lagging_percent = static_cast<int>(conditional_put_ && r.percent(20) ? r.below(40) : 0);
}

/// Nothing answers for hours, while clients go on.
void Simulation::outage(SeededRandom& r) {
  Weather before = weather_;
  weather_.errors_percent = 100;
  producers_.clear();  // the engine forgets who was silent for so long
  uint64_t life = machine_->life();
  for (size_t i = r.between(10, 60); i > 0 && machine_->life() == life && outcome_.failure.empty(); i--) {
    append_text(r);
    drive(r.below(20));
  }
  if (machine_->life() == life && machine_->is_up() && outcome_.failure.empty()) {
    MonotonicTime until = machine_->executor().now() + std::chrono::minutes(r.between(10, 300));
    drive_until([&] { return machine_->executor().now() >= until; }, 20'000);
  }
  weather_ = before;
}

void Simulation::late_put(SeededRandom& r) {
  auto& late = machine_->late_puts;
  if (late.empty()) return;
  size_t i = r.below(late.size());
  note("late put of " + late[i].key);
  MemoryObjectStore::arrive(*bucket_, late[i]);
  late.erase(late.begin() + static_cast<ptrdiff_t>(i));
}

}  // namespace topicfs::sim
