// What a disk or a bucket that loses bits does, and a disk that lies about syncs; and what operators do then.
#include <fmt/core.h>

#include <algorithm>

#include "ctl/verify.h"
#include "object/format.h"
#include "sim/simulation.h"

namespace topicfs::sim {
namespace {

constexpr int kMaxRepairs = 10;  // of one log, each but the last ended by a power cut

/// What of an object's batches cannot be read if that byte of it is wrong. `bytes`: of the object as it was.
std::vector<BatchPlace> rotten_in(ByteSpan bytes, uint64_t position) {
  std::vector<BatchPlace> places;
  auto trailer = Trailer::parse(bytes.last(std::min(bytes.size(), kTrailerBytes)), bytes.size());
  if (!trailer) return places;
  auto footer = Footer::parse(bytes.subspan(trailer->footer_position, trailer->footer_size), *trailer);
  if (!footer) return places;
  for (const BlockEntry& b : footer->blocks)
    if (position >= trailer->footer_position || (position >= b.position && position < b.position + b.size))
      places.push_back({b.partition, b.base_offset, b.end_offset, b.text_position, b.text_end()});
  return places;
}

}  // namespace

// ---- bits are lost

void Simulation::rot(SeededRandom& r) {
  calm();
  drive(r.below(200));
  // Most of the time the log alone is hit, when it has several segments that nobody else has.
  bool in_log = r.percent(70);
  if (in_log) weather_.errors_percent = 100;
  for (size_t i = in_log ? r.between(5, 20) : 0; i > 0 && outcome_.failure.empty() && !over_; i--) burst(r), drive(r.below(60));
  if (!outcome_.failure.empty() || over_) return;
  damaged_ = true;
  for (size_t flips = r.between(1, 3); flips > 0; flips--) {
    if (!in_log && r.percent(30)) rot_in_bucket(r);
    else rot_in_file(r, in_log);
  }
  if (!in_log) verify(r);
  if (!outcome_.failure.empty() || over_) return;
  weather_ = {};
  !in_log && r.percent(20) ? lose_disk(r) : end(r.coin() ? End::killed : End::power_cut);
  live_on(r);
}

void Simulation::rot_in_bucket(SeededRandom& r) {
  MutexLock l(bucket_->mutex);
  if (bucket_->objects.empty()) return;
  auto& [key, bytes] = *std::next(bucket_->objects.begin(), static_cast<ptrdiff_t>(r.below(bucket_->objects.size())));
  auto copy = std::make_shared<std::vector<std::byte>>(*bytes);
  uint64_t at = r.below(copy->size());
  (*copy)[at] ^= std::byte{16};
  note("rot in " + key);
  RottenObject& rotten = rotten_objects_[key];
  if (!rotten.before) rotten.before = bytes;
  bytes = rotten.after = std::move(copy);
  if (!key.starts_with("objects/")) return;
  auto places = rotten_in(*rotten.before, at);
  rotten_.insert(rotten_.end(), places.begin(), places.end());
}

void Simulation::rot_in_file(SeededRandom& r, bool in_log) {
  auto paths = machine_->disk.paths();
  if (in_log) std::erase_if(paths, [](const std::string& name) { return name.find("segment-") == std::string::npos; });
  std::string path = paths[r.below(paths.size())];
  auto bytes = machine_->disk.contents(path);
  // Behind the last byte that is not zero a segment has never been written; the last commit is just before it.
  while (!bytes.empty() && bytes.back() == std::byte{0}) bytes.pop_back();
  if (bytes.empty()) return;
  uint64_t at = r.coin() ? r.below(bytes.size()) : bytes.size() - 1 - r.below(std::min<size_t>(bytes.size(), 4096));
  note(fmt::format("rot in {} at {}", path, at));
  if (path.find("segment-") != std::string::npos)
    if (auto place = batch_at(machine_->disk, path, at)) rotten_.push_back(*place);
  machine_->disk.damage(path, at);
}

/// Moves `at` behind what is rotten there, if something is.
bool Simulation::is_rotten(PartitionId id, TextPosition& at) const {
  for (const BatchPlace& p : rotten_)
    if (p.partition == id && p.text_from <= at && at < p.text_end) return at = p.text_end, true;
  return false;
}

bool Simulation::is_rotten(PartitionId id, Offset& at) const {
  for (const BatchPlace& p : rotten_)
    if (p.partition == id && p.from <= at && at < p.end) return at = p.end, true;
  return false;
}

/// Somebody has a copy. What has been deleted meanwhile stays so.
void Simulation::mend_bucket() {
  MutexLock l(bucket_->mutex);
  for (auto& [key, rotten] : rotten_objects_)
    if (auto found = bucket_->objects.find(key); found != bucket_->objects.end() && found->second == rotten.after)
      found->second = rotten.before;
  rotten_objects_.clear();
}

// ---- syncs lie

void Simulation::lie(SeededRandom& r) {
  calm();
  lying_ = true;
  bool in_log = r.percent(70);  // into several segments
  if (in_log) weather_.errors_percent = 100;
  for (size_t i = in_log ? r.between(5, 20) : r.between(5, 100); i > 0 && outcome_.failure.empty() && !over_; i--) {
    if (in_log) burst(r);
    else r.coin() ? append_text(r) : append_batch(r);
    drive(r.below(in_log ? 60 : 30));
  }
  if (!outcome_.failure.empty() || over_) return;
  lying_ = r.coin();
  weather_ = {};
  end(End::power_cut);
  lying_ = false;
  live_on(r);
}

/// Ends the process; with the power goes what the disk had only said was safe.
void Simulation::take_down(End how) {
  const std::string checkpoint = options_.data_dir + "/checkpoint";
  auto read = [&] { return machine_->disk.has(checkpoint) ? machine_->disk.contents(checkpoint) : std::vector<std::byte>(); };
  const bool lied = how == End::power_cut && machine_->disk.has_lied();
  std::vector<std::byte> before = lied ? read() : std::vector<std::byte>();
  machine_->end(how);
  if (lied) damaged_ = lied_ = true, is_old_checkpoint_ |= read() != before;
}

// ---- and afterwards

/// What is there is shown; then everything is whole again, and clients go on.
void Simulation::live_on(SeededRandom& r) {
  auto goes_on = [&] { return !over_ && outcome_.failure.empty() && machine_->is_up(); };
  if (goes_on()) verify(r);
  mend_bucket();
  rotten_.clear();
  for (size_t i = r.between(5, 20); i > 0 && goes_on(); i--) {
    r.coin() ? append_text(r) : append_batch(r);
    drive(r.below(30));
  }
  if (goes_on()) end(r.coin() ? End::killed : End::power_cut);
  if (goes_on()) verify(r);
}

void Simulation::foretell_start() {
  if (!forecast_of_open()) return;
  forecast_ = foretell(machine_->disk, options_.data_dir);
  note(fmt::format("forecast {}: {}", static_cast<int>(forecast_.start), forecast_.why));
  // Of a disk that has lost bits, what would be there without that loss is what was acknowledged.
  for (Topic& t : topics_)
    for (PartitionModel& p : t.partitions)
      if (!lied_ && !is_cut_ && forecast_.start != Start::refuses_files && p.first_beyond(forecast_.whole_ends[p.id]) <= durable_floor_)
        return fail(fmt::format("append {} was acknowledged, and is not in the log", p.first_beyond(forecast_.whole_ends[p.id])));
}

bool Simulation::is_right_to_refuse() const {
  if (!rotten_objects_.empty() && (disk_lost_ || rotten_objects_.contains("store"))) return true;
  if (damaged_ && lied_ && disk_lost_) return true;
  const Forecast* forecast = forecast_of_open();
  return forecast && (forecast->start != Start::comes_up || is_old_checkpoint_);
}

/// The next opening is one that must succeed.
void Simulation::get_over_refusal() {
  if (!rotten_objects_.empty() && (disk_lost_ || rotten_objects_.contains("store"))) {
    note("the bucket is mended");
    mend_bucket();
    return open();
  }
  bool bucket_is_enough = disk_lost_ || !was_taken_over_ || is_announced();
  if (!disk_lost_ && forecast_.start == Start::refuses_log && !is_old_checkpoint_ && !(bucket_is_enough && random_.percent(25))) {
    repair();
  } else if (bucket_is_enough) {
    note("disk given up");
    mend_bucket();
    machine_->disk.wipe();
    disk_lost_ = true;
    damaged_ = false;
    lists_lag_ = false;
  } else if (!lied_) {
    note("disk restored from a copy");
    machine_->disk.mend();
    damaged_ = false;
  } else {
    return void(over_ = true);  // there is nothing to start from
  }
  if (outcome_.failure.empty()) open();
}

/// As topicfsctl does it. It may be ended at any time, and be begun again.
void Simulation::repair() {
  note("repair");
  is_cut_ = true;
  const Forecast before = forecast_;
  for (int i = 0; i < kMaxRepairs; i++) {
    if (i + 1 < kMaxRepairs && random_.percent(30)) machine_->disk.cut_power_after(random_.between(1, 60));
    ManualExecutor clock;
    ctl::Report report(clock, [this](const std::string& line) { if (trace_) note(line); });
    auto cut = ctl::repair(machine_->disk, options_.data_dir, std::to_string(i), [](const std::string&) { return true; }, report);
    if (!machine_->disk.has_power()) {
      machine_->disk.crash([this] { return random_.coin(); });
      continue;
    }
    machine_->disk.set_power(true);
    if (!cut) return fail("repair: " + cut.error().message());
    if (*cut != ctl::Cut::done && i == 0) return fail("repair finds nothing to cut in a log that is refused: " + before.why);
    break;
  }
  forecast_ = foretell(machine_->disk, options_.data_dir);
  if (forecast_.start != Start::comes_up && forecast_.start != Start::may_refuse)
    return fail("a repaired log is still damaged: " + forecast_.why);
  for (Topic& t : topics_)
    for (PartitionModel& p : t.partitions)
      if (auto had = before.ends.find(p.id); forecast_.ends[p.id] != (had == before.ends.end() ? Offset(0) : had->second))
        return fail(fmt::format("partition {} ends at {} in the repaired log, and was whole to another place", p.id.v,
                                forecast_.ends[p.id].v));
}

/// The engine has come up on what was damaged: exactly with what is whole.
void Simulation::check_damaged() {
  if (forecast_.start != Start::comes_up && forecast_.start != Start::may_refuse)
    return fail("the engine opens a damaged log: " + forecast_.why);
  for (const TopicPtr& t : machine_->engine().list_topics()) {
    for (const auto& p : t->partitions) {
      auto ends = machine_->engine().ends(p.id);
      if (!ends) return fail(fmt::format("partition {} is gone", p.id.v));
      // What is behind its log start may be lost, but not the log start.
      if (Offset end = std::max(forecast_.ends[p.id], ends->log_start); ends->visible_end != end)
        return fail(fmt::format("partition {} ends at {}; what is whole of it ends at {}", p.id.v, ends->visible_end.v, end.v));
    }
  }
  for (Topic& t : topics_)
    for (PartitionModel& p : t.partitions)
      if (uint64_t lost = p.first_beyond(forecast_.ends[p.id]); lied_ && !is_old_checkpoint_ && lost <= safe_floor_)
        return fail(fmt::format("append {} is lost; the disk owed nothing when {} was acknowledged", lost, safe_floor_));
}

}  // namespace topicfs::sim
