// Catalog: topics and partitions as the control records say, and nothing else. Look-ups are answered from
// immutable TopicInfos; records are applied in log order, once durable.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "metadata/control_records.h"
#include "engine/partition.h"

namespace topicfs {

/// Thread-safe. `partition` takes no lock.
class Catalog {
 public:
  static constexpr uint32_t kMaxPartitions = 1 << 20;

  Catalog();
  ~Catalog();

  TopicPtr find(std::string_view name) const;
  TopicPtr find(const Uuid& id) const;
  TopicPtr find(TopicNumber number) const;
  std::optional<PartitionPlace> find(PartitionId id) const;
  std::vector<TopicPtr> list() const;  ///< sorted by name
  /// nullptr if there is none; stays valid, also when the topic is deleted. Partition 0 is always there.
  Partition* partition(PartitionId id) const;
  /// Partitions that exist, partition 0 included, by id.
  std::vector<Partition*> partitions() const;

  /// Numbers for new things: each is given once.
  TopicNumber next_topic_number();
  /// kFull if there are kMaxPartitions.
  Result<PartitionId> next_partition_ids(int32_t count);
  bool collides(std::string_view name) const;  ///< with another topic's name, for Kafka's metrics

  struct Change {
    TopicPtr before, after;  ///< created: no before; deleted: no after
    std::vector<Partition*> gone{};  ///< of a deleted topic
  };
  /// kCorrupt if the record does not fit what is there. Offloads change nothing here.
  Result<Change> apply(const ControlRecord& record);

  struct Counts {
    size_t topics, partitions;
  };
  Counts counts() const;
  struct Numbers {
    uint32_t next_topic, next_partition;
  };
  Numbers numbers() const;
  void restore_numbers(Numbers numbers);

 private:
  struct NameLess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a < b; }
  };
  void put(TopicPtr topic) REQUIRES(mutex_);
  Change replace(TopicPtr before, TopicPtr after) REQUIRES(mutex_);
  Result<void> add_partitions(const TopicInfo& topic, size_t first) REQUIRES(mutex_);
  Result<TopicPtr> must_find(const Uuid& id) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, TopicPtr, NameLess> by_name_ GUARDED_BY(mutex_);
  std::unordered_map<Uuid, TopicPtr> by_id_ GUARDED_BY(mutex_);
  std::unordered_map<TopicNumber, Uuid> by_number_ GUARDED_BY(mutex_);
  struct Home {
    Uuid topic;
    int32_t index;
  };
  std::unordered_map<PartitionId, Home> homes_ GUARDED_BY(mutex_);
  uint32_t next_topic_ GUARDED_BY(mutex_) = 1, next_partition_ GUARDED_BY(mutex_) = 1;

  // Partitions by id: pages that appear once and stay, so that a look-up needs no lock.
  static constexpr uint32_t kPage = 1024;
  struct Page {
    std::atomic<Partition*> slots[kPage] = {};
  };
  std::unique_ptr<std::atomic<Page*>[]> pages_;
  std::vector<std::unique_ptr<Partition>> all_ GUARDED_BY(mutex_);
  void make_partition(PartitionId id) REQUIRES(mutex_);
};

}  // namespace topicfs
