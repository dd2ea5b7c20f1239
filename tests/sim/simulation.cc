#include "sim/simulation.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/log.h"
#include "codec/crc32c.h"

namespace topicfs::sim {

constexpr size_t kTopics = 6, kGroups = 4;

Simulation::Simulation(uint64_t seed, std::vector<Step> plan, bool trace)
    : seed_(seed),
      plan_(std::move(plan)),
      trace_(trace),
      random_(seed ^ 0x5eed),
      bucket_check_(*bucket_),
      options_(make_options(random_)),
      conditional_put_(random_.percent(80)),
      buffered_only_(random_.percent(40)) {
  for (size_t i = 0; i < kTopics; i++) topics_.emplace_back(fmt::format("topic-{}", i));
  for (size_t i = 0; i < kGroups; i++) groups_.emplace_back(fmt::format("group-{}", i));
  machine_ = make_machine(1);
  machine_->disk.set_faults([this](const testing::DiskRequest& r) { return disk_fate(r); }, [this] { return random_.coin(); });
}

std::unique_ptr<Machine> Simulation::make_machine(uint64_t first_life) {
  auto machine = std::make_unique<Machine>(options_, bucket_, random_, first_life);
  machine->conditional_put = conditional_put_;
  machine->weather = [this](const MemoryObjectStore::Request& r) { return store_fate(r); };
  return machine;
}

Simulation::~Simulation() {
  if (machine_->is_up()) machine_->engine().remove_listener(this);  // it goes before we do
}

EngineOptions Simulation::make_options(SeededRandom& r) {
  EngineOptions o;
  o.data_dir = "/data";
  o.wal_segment_bytes = 1 << 20;
  o.wal_max_bytes = r.between(4, 10) << 20;
  o.pool_bytes = uint64_t{512 << 10} << r.below(4);
  o.object_bytes = uint64_t{32 << 10} << r.below(5);
  o.footer_cache_bytes = r.coin() ? 4 << 10 : 1 << 20;
  o.block_cache_bytes = r.coin() ? 16 << 10 : 1 << 20;
  constexpr int kIntervals[] = {0, 2, 2, 20};
  o.wal_sync_interval = std::chrono::milliseconds(kIntervals[r.below(4)]);
  o.offload_interval = std::chrono::milliseconds(r.between(200, 20'000));
  return o;
}

Outcome Simulation::run() {
  open();
  for (at_step_ = 0; at_step_ < plan_.size() && outcome_.failure.empty() && !over_; at_step_++) perform(plan_[at_step_]);
  if (outcome_.failure.empty() && !over_) finish();
  outcome_.objects = bucket_check_.objects();
  outcome_.appends = next_order_ - 1;
  return outcome_;
}

void Simulation::fail(std::string what) {
  note("FAILED: " + what);
  if (outcome_.failure.empty()) outcome_.failure = std::move(what), outcome_.failed_step = at_step_;
}

/// Everything that happens comes by here: for people, and into the hash that tells whether a seed is one.
void Simulation::note(std::string_view what) {
  outcome_.hash = outcome_.hash * 31 + crc32c(as_byte_span(what));
  if (trace_) fmt::print("{:6} {:12.6f} {}\n", at_step_,
                         machine_->is_up() ? static_cast<double>(machine_->executor().now().count()) / 1e9 : 0.0, what);
}

void Simulation::perform(const Step& step) {
  SeededRandom r(step.seed);
  note(name_of(step.kind));
  latest_wall_ = latest_wall();
  if (poisoned_ && r.percent(10)) r.coin() ? restart() : end(r.coin() ? End::killed : End::power_cut);
  switch (step.kind) {
    case Kind::append_text: append_text(r); break;
    case Kind::append_batch: append_batch(r); break;
    case Kind::append_idempotent: append_idempotent(r); break;
    case Kind::burst: burst(r); break;
    case Kind::sync: sync(r); break;
    case Kind::cancel: cancel(r); break;
    case Kind::read_text: read_text(r); break;
    case Kind::fetch: fetch(r); break;
    case Kind::verify: verify(r); break;
    case Kind::create_topic: create_topic(r); break;
    case Kind::add_partitions:
    case Kind::change_settings:
    case Kind::change_owner: change_topic(r, step.kind); break;
    case Kind::delete_topic: delete_topic(r); break;
    case Kind::commit_offsets:
    case Kind::delete_offsets:
    case Kind::save_group:
    case Kind::delete_group: change_group(r, step.kind); break;
    case Kind::producer_ids: producer_ids(r); break;
    case Kind::run: drive(r.below(300)); break;
    case Kind::weather: change_weather(r); break;
    case Kind::outage: outage(r); break;
    case Kind::clock_jump: {
      WallMilliseconds by{static_cast<int64_t>(r.below(7'200'000)) - 3'600'000};
      machine_->clock_jump += by;
      machine_->executor().jump_wall(by);
      break;
    }
    case Kind::late_put: late_put(r); break;
    case Kind::disk_fault: arm_disk_fault(r); break;
    case Kind::power_cut: end(End::power_cut); break;
    case Kind::power_cut_soon: machine_->disk.cut_power_after(r.between(1, 60)); break;
    case Kind::kill: end(End::killed); break;
    case Kind::kill_then_cut: kill_twice(r); break;
    case Kind::turn_over: turn_over(r); break;
    case Kind::restart: restart(); break;
    case Kind::lose_disk: lose_disk(r); break;
    case Kind::second_writer: second_writer(r); break;
    case Kind::start_together: start_together(r); break;
    case Kind::rot: rot(r); break;
    case Kind::lie: lie(r); break;
    case Kind::delete_records: delete_records(r); break;
    case Kind::read_deleted: read_deleted(r); break;
    case Kind::find_timestamp: find_timestamp(r); break;
    case Kind::set_retention: set_retention(r); break;
    case Kind::fail_log: fail_log(r); break;
    case Kind::quiet_time: quiet_time(std::chrono::minutes(r.between(1, 600))); break;
  }
  if (!over_) drive(r.below(4) == 0 ? r.below(40) : r.below(4));
}

/// Runs some tasks. If the power goes meanwhile, the machine comes up again.
void Simulation::drive(uint64_t tasks) {
  for (uint64_t i = 0; i < tasks && outcome_.failure.empty(); i++) {
    if (zombie_ && random_.percent(30)) zombie_->run_next();
    if (!machine_->run_next()) break;
    if (!machine_->has_power()) return end(End::power_cut);
  }
  check(bucket_check_.take_failure());
}

/// Runs tasks until `done`. False if the power went, or it never came.
bool Simulation::drive_until(const std::function<bool()>& done, int tasks) {
  uint64_t life = machine_->life();
  for (int i = 0; i < tasks && outcome_.failure.empty(); i++) {
    if (machine_->life() != life) return false;
    if (done()) return true;
    if (!machine_->has_power()) return end(End::power_cut), false;
    if (!machine_->run_next()) return false;
  }
  return done();
}

/// When every fault is over, the engine must work; and the bucket alone must be enough.
void Simulation::finish() {
  SeededRandom r(seed_ ^ 0xf1);
  calm();
  if (zombie_ && is_announced()) check_too_late();
  end_zombie();
  restart();  // the log may be poisoned, and nobody been told
  if (!outcome_.failure.empty() || over_) return;
  calm();
  std::vector<Topic*> there;
  for (Topic& t : topics_)
    if (t.is_there() && !t.busy && !t.partitions.empty()) there.push_back(&t);
  for (Topic* t : there) {
    auto answer = std::make_shared<std::optional<Result<Appended>>>();
    PartitionModel& p = t->partitions[0];
    ModelAppend a;
    a.order = next_order_++;
    a.text = "the end\n";
    a.line_ends = {8};
    std::string text = a.text;
    ByteSpan piece = as_byte_span(text);
    uint64_t order = a.order;
    p.add(std::move(a));
    RequestId waits = machine_->engine().append_text(p.id, {&piece, 1}, LastLine::complete, {},
                                                    [answer](Result<Appended> result) { *answer = std::move(result); });
    if (!waits) p.find(order)->placed = true;
    if (!drive_until([&] { return answer->has_value(); })) return fail("with all faults over, an append is not answered");
    if (!**answer) return fail("with all faults over, an append is refused: " + (*answer)->error().message());
    check(p.check_answer(order, ***answer));
    durable_floor_ = order;
  }
  verify(r);
  if (!outcome_.failure.empty() || over_) return;
  restart();
  if (over_) return;
  if (stored_floor_ < durable_floor_ && outcome_.failure.empty()) return fail("with all faults over, a clean stop does not offload");
  lose_disk(r);
  if (over_) return;
  verify(r);
  check(bucket_check_.check_references());
  if (outcome_.failure.empty()) check_retention(r);
}

}  // namespace topicfs::sim
