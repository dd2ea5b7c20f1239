// What clients do with the catalog, with consumer groups and producer ids: one change of a thing at a time.
#include <fmt/core.h>

#include <algorithm>

#include "sim/simulation.h"

namespace topicfs::sim {
namespace {

constexpr size_t kKept = 3;  // topics before this are never deleted, and groups have offsets of these alone

bool is_there(const TopicPtr& t) { return t != nullptr; }

}  // namespace

std::string Simulation::describe(const TopicPtr& t) {
  if (!is_there(t)) return "none";
  std::string d = fmt::format("{} partitions, {}:{} {:o}", t->partitions.size(), t->ownership.uid, t->ownership.gid, t->ownership.mode);
  for (const auto& [name, value] : t->settings) d += fmt::format(", {}={}", name, value);
  return d;
}

std::string Simulation::describe(const std::string& group) {
  std::string d;
  machine_->engine().fetch_offsets(group, [&](Result<std::vector<CommittedOffset>> found) {
    if (!found) return fail("fetch_offsets: " + found.error().message());
    std::sort(found->begin(), found->end(), [](const auto& a, const auto& b) { return a.partition < b.partition; });
    for (const CommittedOffset& o : *found) d += fmt::format("{}:{}:{} ", o.partition.v, o.offset.v, o.metadata);
  });
  machine_->engine().list_groups("", [&](Result<std::vector<StoredGroup>> all) {
    if (!all) return fail("list_groups: " + all.error().message());
    for (const StoredGroup& g : *all)
      if (g.name == group && !g.state.protocol_type.empty()) d += fmt::format("generation {}", g.state.generation);
  });
  return d;
}

/// The change may have happened or not.
bool Simulation::is_in_doubt(const Error& error) {
  if (error.code == Errc::kReadOnly) poisoned_ = true;
  return error.code == Errc::kReadOnly || error.code == Errc::kClosed;
}

// ---- topics

Completion<TopicPtr> Simulation::topic_changed(size_t topic) {
  return [this, topic, life = machine_->life()](Result<TopicPtr> result) {
    if (machine_->life() != life || !machine_->has_power()) return;
    Topic& t = topics_[topic];
    note(fmt::format("{} changed: {}", t.name, result ? "yes" : result.error().what));
    if (!result && is_in_doubt(result.error())) return;  // it stays busy
    t.busy = false;
    if (!result && result.error().code != Errc::kFull) return fail(t.name + ": " + result.error().message());
    if (!result) return t.state.refused();
    t.state.acknowledged(next_order_);
    if (describe(*result) != t.state.now()) fail(fmt::format("{} is {}, not {}", t.name, describe(*result), t.state.now()));
    know_topic(t, *result, false);
  };
}

void Simulation::create_topic(SeededRandom& r) {
  size_t i = r.below(topics_.size());
  Topic& t = topics_[i];
  if (t.busy || t.is_there() || !machine_->is_up()) return;
  NewTopic topic;
  topic.name = t.name;
  topic.partitions = static_cast<int32_t>(r.between(1, 4));
  if (r.percent(30)) topic.settings["message.timestamp.type"] = "LogAppendTime";
  auto expected = std::make_shared<TopicInfo>();
  expected->settings = topic.settings;
  expected->ownership = topic.ownership;
  expected->partitions.resize(static_cast<size_t>(topic.partitions));
  t.state.begin(describe(TopicPtr(expected)));
  t.busy = true;
  machine_->engine().create_topic(std::move(topic), topic_changed(i));
}

void Simulation::change_topic(SeededRandom& r, Kind kind) {
  size_t i = r.below(topics_.size());
  Topic& t = topics_[i];
  if (t.busy || !t.is_there() || !machine_->is_up()) return;
  TopicPtr now = machine_->engine().find_topic(t.id);
  if (!now) return fail(t.name + " is gone");
  auto next = std::make_shared<TopicInfo>(*now);
  t.busy = true;
  if (kind == Kind::add_partitions) {
    next->partitions.resize(now->partitions.size() + r.between(1, 2));
    t.state.begin(describe(TopicPtr(next)));
    machine_->engine().add_partitions(t.id, static_cast<int32_t>(next->partitions.size()), {0, 0, 0644}, topic_changed(i));
  } else if (kind == Kind::change_settings) {
    std::string value = r.coin() ? "LogAppendTime" : "CreateTime";
    next->settings["message.timestamp.type"] = value;
    t.state.begin(describe(TopicPtr(next)));
    machine_->engine().change_settings(t.id, {{"message.timestamp.type", value}}, topic_changed(i));
  } else {
    OwnershipChange change;
    change.uid = next->ownership.uid = static_cast<uint32_t>(r.below(1000));
    t.state.begin(describe(TopicPtr(next)));
    machine_->engine().change_ownership(t.id, change, topic_changed(i));
  }
}

void Simulation::delete_topic(SeededRandom& r) {
  size_t i = r.between(kKept, topics_.size() - 1);
  Topic& t = topics_[i];
  if (t.busy || !t.is_there() || !machine_->is_up()) return;
  bool empty = r.percent(30);
  t.state.begin("none");
  t.busy = true;
  uint64_t life = machine_->life();
  machine_->engine().delete_topic(t.id, empty ? OnlyEmpty::yes : OnlyEmpty::no, [this, i, empty, life](Result<void> result) {
    if (machine_->life() != life || !machine_->has_power()) return;
    Topic& gone = topics_[i];
    note(fmt::format("{} deleted: {}", gone.name, result ? "yes" : result.error().what));
    if (!result && is_in_doubt(result.error())) return;
    gone.busy = false;
    if (!result && result.error().code != Errc::kFull && !(empty && result.error().code == Errc::kNotEmpty))
      return fail("deleting " + gone.name + ": " + result.error().message());
    if (!result) return gone.state.refused();
    gone.state.acknowledged(next_order_);
    know_topic(gone, nullptr, false);
  });
}

/// The topic is this now: partitions that it did not have are empty ones.
void Simulation::know_topic(Topic& t, const TopicPtr& found, bool lost) {
  if (!found || found->id != t.id) {
    if (found && !t.id.is_nil() && !lost && t.state.now() != "none" && !t.partitions.empty() && !t.busy)
      fail(t.name + " has another id");
    if (!t.id.is_nil()) deleted_.insert_or_assign(t.id, std::move(t.partitions));
    t.partitions.clear();
    t.limits = {{}};
    t.id = found ? found->id : Uuid{};
    if (auto before = deleted_.find(t.id); lost && before != deleted_.end()) t.partitions = std::move(before->second);
  }
  if (!found) return;
  while (t.partitions.size() > found->partitions.size()) t.partitions.pop_back();
  for (size_t i = 0; i < found->partitions.size(); i++) {
    PartitionId id = found->partitions[i].id;
    if (i == t.partitions.size()) t.partitions.emplace_back(id);
    else if (t.partitions[i].id != id && !lost) fail(fmt::format("partition {} of {} has another number", i, t.name));
    else if (t.partitions[i].id != id) return t.partitions.clear();
  }
}

// ---- groups

Completion<void> Simulation::group_changed(size_t group) {
  return [this, group, life = machine_->life()](Result<void> result) {
    if (machine_->life() != life || !machine_->has_power()) return;
    Group& g = groups_[group];
    note(fmt::format("{} changed: {}", g.name, result ? "yes" : result.error().what));
    if (!result && is_in_doubt(result.error())) return;
    g.busy = false;
    bool refused = !result && (result.error().code == Errc::kFull || result.error().code == Errc::kNotFound);
    if (!result && !refused) return fail(g.name + ": " + result.error().message());
    if (refused) return g.state.refused();
    g.state.acknowledged(next_order_);
    if (std::string found = describe(g.name); found != g.state.now())
      fail(fmt::format("{} is '{}', not '{}'", g.name, found, g.state.now()));
  };
}

void Simulation::change_group(SeededRandom& r, Kind kind) {
  size_t i = r.below(groups_.size());
  Group& g = groups_[i];
  if (g.busy || !machine_->is_up()) return;
  GroupText next = GroupText::parse(g.state.now());
  const Topic& t = topics_[r.below(kKept)];
  if (kind == Kind::commit_offsets || kind == Kind::delete_offsets) {
    if (!t.is_there() || t.busy || t.partitions.empty()) return;
    PartitionId id = t.partitions[r.below(t.partitions.size())].id;
    std::string metadata = fmt::format("m{}", r.below(100));
    Offset offset(static_cast<int64_t>(r.below(10'000)));
    if (kind == Kind::commit_offsets) next.offsets[id] = fmt::format("{}:{}", offset.v, metadata);
    else next.offsets.erase(id);
    g.state.begin(next.text());
    g.busy = true;
    if (kind == Kind::commit_offsets) machine_->engine().commit_offsets(g.name, {{id, offset, -1, metadata}}, group_changed(i));
    else machine_->engine().delete_offsets(g.name, {id}, group_changed(i));
  } else if (kind == Kind::save_group) {
    GroupState state;
    state.protocol_type = "consumer";
    state.generation = static_cast<int32_t>(r.below(1000));
    next.members = fmt::format("generation {}", state.generation);
    g.state.begin(next.text());
    g.busy = true;
    machine_->engine().save_group(g.name, state, group_changed(i));
  } else {
    g.state.begin("");
    g.busy = true;
    machine_->engine().delete_group(g.name, group_changed(i));
  }
}

// ---- after a restart

void Simulation::check_catalog(bool lost) {
  for (const TopicPtr& found : machine_->engine().list_topics())
    if (std::none_of(topics_.begin(), topics_.end(), [&](const Topic& t) { return t.name == found->name; }))
      fail("there is a topic " + found->name + " that nobody made");
  for (Topic& t : topics_) {
    TopicPtr found = machine_->engine().find_topic(t.name);
    std::string before = t.state.now();
    if (!t.state.accept(describe(found), lost))
      fail(fmt::format("after a restart {} is '{}', not '{}'", t.name, describe(found), before));
    know_topic(t, found, lost);
    t.busy = false;
  }
  for (Group& g : groups_) {
    std::string before = g.state.now(), found = describe(g.name);
    if (!g.state.accept(found, lost)) fail(fmt::format("after a restart {} is '{}', not '{}'", g.name, found, before));
    g.busy = false;
  }
}

/// The log was cut at one point for the catalog too.
void Simulation::check_catalog_age(uint64_t last_kept) {
  for (const Topic& t : topics_)
    if (t.state.is_older_than(last_kept)) fail(fmt::format("{} is '{}' again, which it was before append {} was made", t.name, t.state.now(), last_kept));
  for (const Group& g : groups_)
    if (g.state.is_older_than(last_kept)) fail(fmt::format("{} is '{}' again, which it was before append {} was made", g.name, g.state.now(), last_kept));
}

void Simulation::producer_ids(SeededRandom& r) {
  if (!machine_->is_up()) return;
  auto count = static_cast<int32_t>(r.between(1, 1000));
  machine_->engine().allocate_producer_ids(count, [this, count, life = machine_->life()](Result<int64_t> first) {
    if (machine_->life() != life || !machine_->has_power()) return;
    if (!first && !is_in_doubt(first.error()) && first.error().code != Errc::kFull)
      return fail("allocate_producer_ids: " + first.error().message());
    if (!first) return;
    auto after = producer_ids_.lower_bound(*first + 1);
    if (after != producer_ids_.begin() && std::prev(after)->second > *first) fail("a producer id was given twice");
    if (after != producer_ids_.end() && after->first < *first + count) fail("a producer id was given twice");
    producer_ids_[*first] = *first + count;
  });
}

}  // namespace topicfs::sim
