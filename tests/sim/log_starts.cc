// What moves log starts: requests and retention. And who asks for records by their time, or for what is deleted.
#include <fmt/core.h>

#include <algorithm>

#include "sim/simulation.h"

namespace topicfs::sim {
namespace {

ModelLimits limits_of(const TopicSettings& settings) {
  auto number = [&](std::string_view name) -> int64_t {
    auto found = settings.find(name);
    return found == settings.end() ? -1 : std::stoll(found->second);
  };
  return {number("retention.ms"), number("retention.bytes")};
}

}  // namespace

int64_t Simulation::latest_wall() {
  int64_t latest = latest_wall_;
  for (Machine* m : {machine_.get(), zombie_.get()})
    if (m && m->is_up()) latest = std::max(latest, m->executor().wall_now().count());
  return latest;
}

void Simulation::check_ends(PartitionModel& p, const PartitionEnds& ends) {
  check(p.check_ends(ends));
  for (const Topic& t : topics_)
    for (const PartitionModel& q : t.partitions)
      if (&q == &p) return check(p.check_start(ends, t.limits, latest_wall()));
}

void Simulation::on_trimmed(PartitionId id) {
  if (!machine_->is_up() || !machine_->has_power()) return;
  PartitionModel* p = find(id);
  auto ends = machine_->engine().ends(id);
  if (!p || !ends) return;
  note(fmt::format("{} starts at {}", id.v, ends->log_start.v));
  check_ends(*p, *ends);
}

/// The log has come back: its starts are those of before, or what was in doubt.
void Simulation::accept_starts(bool lost, bool may_be_older) {
  for (Topic& t : topics_) {
    if (TopicPtr found = machine_->engine().find_topic(t.name); lost && found) t.limits.push_back(limits_of(found->settings));
    for (PartitionModel& p : t.partitions) {
      auto ends = machine_->engine().ends(p.id);
      if (!ends) return fail(fmt::format("partition {} is gone", p.id.v));
      check(p.accept_start(*ends, lost, may_be_older ? Offset(0) : p.stored_start(), t.limits, latest_wall()));
    }
  }
}

// ---- requests

void Simulation::delete_records(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  auto ends = machine_->engine().ends(p->id);
  if (!ends) return;
  check_ends(*p, *ends);
  auto living = static_cast<uint64_t>(ends->durable_end - ends->log_start);
  Offset before = ends->log_start + static_cast<int64_t>(r.below((r.percent(80) ? living / 4 : living) + 1));
  if (r.percent(10)) before = Engine::kDurableEnd;
  else if (r.percent(10)) before = ends->durable_end + static_cast<int64_t>(r.between(1, 100));
  const bool beyond = before > ends->durable_end;
  const Offset to = before == Engine::kDurableEnd ? ends->durable_end : before;
  uint64_t life = machine_->life();
  PartitionId id = p->id;
  note(fmt::format("delete {} before {}", id.v, to.v));
  p->ask_start(to);
  machine_->engine().delete_records(id, before, [this, life, id, to, beyond](Result<Offset> start) {
    PartitionModel* q = find(id);
    if (machine_->life() != life || !machine_->has_power() || !q) return;
    note(fmt::format("deleted {} before {}: {}", id.v, to.v, start ? "yes" : start.error().what));
    if (!start && is_in_doubt(start.error())) return;
    if (!start || beyond) q->refuse_start(to);
    if (beyond && (start || start.error().code != Errc::kOutOfRange))
      return fail(fmt::format("records of partition {} were deleted up to {}, beyond its end", id.v, to.v));
    if (beyond) return;
    if (!machine_->is_up()) return;  // it is being destroyed
    auto ends_now = machine_->engine().ends(id);
    if (!ends_now) return;  // deleted meanwhile
    check_ends(*q, *ends_now);
    if (!start && start.error().code != Errc::kFull && !may_fail(start.error()))
      return fail(fmt::format("deleting records of partition {}: {}", id.v, start.error().message()));
    if (start && (*start < to || *start != ends_now->log_start))
      fail(fmt::format("records of partition {} were deleted up to {}; asked for was {}, and its log starts at {}", id.v,
                       start->v, to.v, ends_now->log_start.v));
  });
}

/// Both doors say that it is deleted.
void Simulation::read_deleted(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  auto ends = machine_->engine().ends(p->id);
  if (!ends) return;
  check_ends(*p, *ends);
  uint64_t life = machine_->life();
  auto refused = [this, life, id = p->id](const char* verb, Errc code) {
    if (machine_->life() != life || !machine_->has_power() || !find(id) || code == Errc::kOutOfRange) return;
    fail(fmt::format("partition {}: a {} of what is deleted was not answered with out of range", id.v, verb));
  };
  if (ends->text_start > TextPosition(0))
    machine_->engine().read_text(p->id, TextPosition(static_cast<int64_t>(r.below(static_cast<uint64_t>(ends->text_start.v)))), 1000,
                                 [refused](Result<TextRead> read) { refused("read", read ? Errc::kExists : read.error().code); });
  if (ends->log_start > Offset(0))
    machine_->engine().fetch(p->id, Offset(static_cast<int64_t>(r.below(static_cast<uint64_t>(ends->log_start.v)))), 1000,
                             [refused](Result<Fetched> got) { refused("fetch", got ? Errc::kExists : got.error().code); });
}

void Simulation::find_timestamp(SeededRandom& r) {
  PartitionModel* p = pick(r);
  if (!p) return;
  auto ends = machine_->engine().ends(p->id);
  if (!ends) return;
  check_ends(*p, *ends);
  int64_t timestamp = p->some_time(r.next());
  if (timestamp == ModelAppend::kUnknownTime || r.percent(5)) timestamp = 0;
  else if (r.percent(30)) timestamp += static_cast<int64_t>(r.below(7'200'000)) - 3'600'000;
  if (r.percent(20)) timestamp = Engine::kMaxTimestamp;
  uint64_t life = machine_->life();
  PartitionId id = p->id;
  machine_->engine().find_timestamp(id, timestamp, [this, life, id, timestamp, durable = ends->durable_end](Result<TimestampedOffset> found) {
    PartitionModel* q = find(id);
    if (machine_->life() != life || !machine_->has_power() || !q) return;
    if (!machine_->is_up()) return;
    auto ends_now = machine_->engine().ends(id);
    if (!ends_now) return;
    if (!found && !may_fail(found.error())) return fail("find_timestamp: " + found.error().message());
    if (found) check(q->check_timestamp(timestamp, *found, *ends_now, durable));
  });
}

// ---- retention

void Simulation::set_retention(SeededRandom& r) {
  Topic& t = topics_[r.below(topics_.size())];
  std::map<std::string, std::optional<std::string>> changes;
  constexpr const char *kTimes[] = {"60000", "3600000", "36000000"}, *kSizes[] = {"1000", "50000", "500000"};
  changes["retention.ms"] = r.coin() ? std::optional<std::string>(kTimes[r.below(3)]) : std::nullopt;
  changes["retention.bytes"] = r.coin() ? std::optional<std::string>(kSizes[r.below(3)]) : std::nullopt;
  if (!t.busy && t.is_there() && machine_->is_up()) change_retention(t, std::move(changes));
}

void Simulation::change_retention(Topic& t, std::map<std::string, std::optional<std::string>> changes) {
  TopicPtr now = machine_->engine().find_topic(t.id);
  if (!now) return fail(t.name + " is gone");
  auto next = std::make_shared<TopicInfo>(*now);
  for (const auto& [name, value] : changes) {
    if (value) next->settings[name] = *value;
    else next->settings.erase(name);
  }
  t.busy = true;
  t.state.begin(describe(TopicPtr(next)));
  // What was decided by the limits before the last ones has taken effect. The last change may have been lost in a crash.
  if (t.limits.size() > 1) t.limits.erase(t.limits.begin(), t.limits.end() - 1);
  t.limits.push_back(limits_of(now->settings));
  t.limits.push_back(limits_of(next->settings));
  machine_->engine().change_settings(t.id, std::move(changes), topic_changed(static_cast<size_t>(&t - topics_.data())));
}

/// Nobody does anything, and time passes: more than anything that is due waits for.
void Simulation::quiet_time(MonotonicTime duration) {
  if (!machine_->is_up()) return;
  producers_.clear();  // the engine forgets who was silent for so long
  constexpr MonotonicTime kStep = std::chrono::minutes(5);
  uint64_t life = machine_->life();
  for (MonotonicTime until = machine_->executor().now() + duration; outcome_.failure.empty();) {
    MonotonicTime now = machine_->executor().now(), next = std::min(until, now + kStep);
    if (now >= until) return;
    machine_->executor().at(next, [] {});
    drive_until([&] { return machine_->executor().now() >= next; }, 20'000);
    if (machine_->life() != life || machine_->executor().now() < next) return;
  }
}

/// What another machine has left there is left alone, and all of it by one that had nothing to store.
void Simulation::check_collected() {
  if (!was_taken_over_ && is_announced()) check(bucket_check_.check_collected());
}

/// Every fault is over: what is too old goes, and what lives nowhere is not stored.
void Simulation::check_retention(SeededRandom& r) {
  uint64_t life = machine_->life();
  create_topic(r);  // so that something is stored, and this epoch announces itself
  quiet_time(std::chrono::hours(1));
  append_text(r);
  quiet_time(std::chrono::hours(1));
  if (machine_->life() != life) return;  // an end that was still to come has come
  if (outcome_.failure.empty()) check_collected();
  for (Topic& t : topics_)
    if (t.is_there() && !t.busy) change_retention(t, {{"retention.ms", "1000"}, {"retention.bytes", std::nullopt}});
  quiet_time(std::chrono::hours(12));
  if (machine_->life() != life) return;
  if (!outcome_.failure.empty()) return;
  check_collected();
  // A record may have been stamped by a clock that was ahead of this one.
  bool all_outlived = latest_wall() < machine_->executor().wall_now().count() + 1000;
  for (Topic& t : topics_) {
    for (PartitionModel& p : t.partitions) {
      if (t.busy) return fail(t.name + " does not change, with all faults over");
      auto ends = machine_->engine().ends(p.id);
      if (!ends) return fail(fmt::format("partition {} is gone", p.id.v));
      check_ends(p, *ends);
      if (all_outlived && t.limits.back().milliseconds == 1000 && ends->log_start < ends->durable_end)
        return fail(fmt::format("partition {} still has records from {} to {}, which retention.ms has outlived", p.id.v,
                                ends->log_start.v, ends->durable_end.v));
    }
  }
  verify(r);
  if (outcome_.failure.empty()) check_collected();
}

}  // namespace topicfs::sim
