#include "engine/catalog.h"

#include <algorithm>

#include "base/check.h"

namespace topicfs {

Catalog::Catalog() : pages_(new std::atomic<Page*>[kMaxPartitions / kPage]) {
  for (uint32_t i = 0; i < kMaxPartitions / kPage; i++) pages_[i].store(nullptr, std::memory_order_relaxed);
  MutexLock l(mutex_);
  make_partition(kControlPartition);
}

Catalog::~Catalog() {
  for (uint32_t i = 0; i < kMaxPartitions / kPage; i++) delete pages_[i].load(std::memory_order_relaxed);
}

TopicPtr Catalog::find(std::string_view name) const {
  MutexLock l(mutex_);
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

TopicPtr Catalog::find(const Uuid& id) const {
  MutexLock l(mutex_);
  auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

TopicPtr Catalog::find(TopicNumber number) const {
  MutexLock l(mutex_);
  auto it = by_number_.find(number);
  return it == by_number_.end() ? nullptr : by_id_.at(it->second);
}

std::optional<PartitionPlace> Catalog::find(PartitionId id) const {
  MutexLock l(mutex_);
  auto it = homes_.find(id);
  if (it == homes_.end()) return std::nullopt;
  return PartitionPlace{by_id_.at(it->second.topic), it->second.index};
}

std::vector<TopicPtr> Catalog::list() const {
  MutexLock l(mutex_);
  std::vector<TopicPtr> all;
  all.reserve(by_name_.size());
  for (const auto& [name, topic] : by_name_) all.push_back(topic);
  return all;
}

Partition* Catalog::partition(PartitionId id) const {
  if (id.v >= kMaxPartitions) return nullptr;
  Page* page = pages_[id.v / kPage].load(std::memory_order_acquire);
  return page ? page->slots[id.v % kPage].load(std::memory_order_acquire) : nullptr;
}

std::vector<Partition*> Catalog::partitions() const {
  MutexLock l(mutex_);
  std::vector<Partition*> all;
  for (const auto& p : all_)
    if (partition(p->id)) all.push_back(p.get());
  return all;
}

TopicNumber Catalog::next_topic_number() {
  MutexLock l(mutex_);
  return TopicNumber(next_topic_++);
}

Result<PartitionId> Catalog::next_partition_ids(int32_t count) {
  MutexLock l(mutex_);
  if (count < 0 || static_cast<uint32_t>(count) > kMaxPartitions - next_partition_)
    return fail(Errc::kFull, "this store has given away all its " + std::to_string(kMaxPartitions) + " partitions");
  PartitionId first(next_partition_);
  next_partition_ += static_cast<uint32_t>(count);
  return first;
}

bool Catalog::collides(std::string_view name) const {
  MutexLock l(mutex_);
  return std::any_of(by_name_.begin(), by_name_.end(),
                     [&](const auto& t) { return t.first != name && topic_names_collide(t.first, name); });
}

Result<TopicPtr> Catalog::must_find(const Uuid& id) {
  auto it = by_id_.find(id);
  if (it == by_id_.end()) return fail(Errc::kCorrupt, "a control record names a topic that is not there");
  return it->second;
}

void Catalog::put(TopicPtr topic) {
  by_name_[topic->name] = topic;
  by_number_[topic->number] = topic->id;
  by_id_[topic->id] = std::move(topic);
}

Catalog::Change Catalog::replace(TopicPtr before, TopicPtr after) {
  put(after);
  return {std::move(before), std::move(after)};
}

void Catalog::make_partition(PartitionId id) {
  std::atomic<Page*>& page = pages_[id.v / kPage];
  if (!page.load(std::memory_order_relaxed)) page.store(new Page, std::memory_order_release);
  all_.push_back(std::make_unique<Partition>(id));
  page.load(std::memory_order_relaxed)->slots[id.v % kPage].store(all_.back().get(), std::memory_order_release);
}

Result<void> Catalog::add_partitions(const TopicInfo& topic, size_t first) {
  for (size_t i = first; i < topic.partitions.size(); i++) {
    PartitionId id = topic.partitions[i].id;
    if (id == kControlPartition || id.v >= kMaxPartitions || homes_.contains(id))
      return fail(Errc::kCorrupt, "a control record gives a partition's id twice");
    homes_[id] = {topic.id, static_cast<int32_t>(i)};
    if (!partition(id)) make_partition(id);
    next_partition_ = std::max(next_partition_, id.v + 1);
  }
  return {};
}

Result<Catalog::Change> Catalog::apply(const ControlRecord& record) {
  MutexLock l(mutex_);
  if (auto* r = std::get_if<TopicCreated>(&record)) {
    if (by_name_.contains(r->topic.name) || by_id_.contains(r->topic.id))
      return fail(Errc::kCorrupt, "a control record makes the topic " + r->topic.name + " twice");
    auto topic = std::make_shared<const TopicInfo>(r->topic);
    TRY(add_partitions(*topic, 0));
    next_topic_ = std::max(next_topic_, topic->number.v + 1);
    put(topic);
    return Change{nullptr, topic};
  }
  if (auto* r = std::get_if<TopicDeleted>(&record)) {
    TRY_ASSIGN(TopicPtr topic, must_find(r->topic));
    std::vector<Partition*> gone;
    for (const PartitionInfo& p : topic->partitions) {
      gone.push_back(partition(p.id));
      homes_.erase(p.id);
      pages_[p.id.v / kPage].load(std::memory_order_relaxed)->slots[p.id.v % kPage].store(nullptr,
                                                                                       std::memory_order_release);
    }
    by_name_.erase(topic->name);
    by_number_.erase(topic->number);
    by_id_.erase(topic->id);
    return Change{topic, nullptr, std::move(gone)};
  }
  if (auto* r = std::get_if<PartitionsAdded>(&record)) {
    TRY_ASSIGN(TopicPtr topic, must_find(r->topic));
    auto after = std::make_shared<TopicInfo>(*topic);
    after->partitions.insert(after->partitions.end(), r->partitions.begin(), r->partitions.end());
    TRY(add_partitions(*after, topic->partitions.size()));
    return replace(topic, after);
  }
  if (auto* r = std::get_if<SettingsChanged>(&record)) {
    TRY_ASSIGN(TopicPtr topic, must_find(r->topic));
    auto after = std::make_shared<TopicInfo>(*topic);
    after->settings = r->settings;
    after->changed = r->changed;
    return replace(topic, after);
  }
  if (auto* r = std::get_if<OwnershipChanged>(&record)) {
    TRY_ASSIGN(TopicPtr topic, must_find(r->topic));
    auto after = std::make_shared<TopicInfo>(*topic);
    if (r->partition) {
      auto home = homes_.find(*r->partition);
      if (home == homes_.end() || home->second.topic != r->topic)
        return fail(Errc::kCorrupt, "a control record names a partition that is not there");
      PartitionInfo& p = after->partitions[static_cast<size_t>(home->second.index)];
      p.ownership = r->ownership, p.changed = r->changed;
    } else {
      after->ownership = r->ownership, after->changed = r->changed;
    }
    return replace(topic, after);
  }
  return Change{};
}

Catalog::Counts Catalog::counts() const {
  MutexLock l(mutex_);
  return {by_name_.size(), homes_.size()};
}

Catalog::Numbers Catalog::numbers() const {
  MutexLock l(mutex_);
  return {next_topic_, next_partition_};
}

void Catalog::restore_numbers(Numbers numbers) {
  MutexLock l(mutex_);
  next_topic_ = std::max(next_topic_, numbers.next_topic);
  next_partition_ = std::max(next_partition_, numbers.next_partition);
}

}  // namespace topicfs
