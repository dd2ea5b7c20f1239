// What the catalog says about topics and partitions: immutable values, shared by pointer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <topicfs/types.h>

namespace topicfs {

/// Owner and permission bits of a topic or partition, as stat(2) shows them.
struct Ownership {
  uint32_t uid = 0, gid = 0;
  uint32_t mode = 0644;  ///< permission bits only: at most 07777
  friend bool operator==(const Ownership&, const Ownership&) = default;
};

struct PartitionInfo {
  PartitionId id;
  Ownership ownership;
  WallMilliseconds created{0};
  WallMilliseconds changed{0};  ///< ctime: last change of ownership or times
};

/// Kafka's topic settings (retention.ms, ...), by their Kafka names.
using TopicSettings = std::map<std::string, std::string, std::less<>>;

struct TopicInfo {
  Uuid id;             ///< never changes, never returns
  TopicNumber number;  ///< stable small number, for inodes
  std::string name;    ///< 1..249 of [A-Za-z0-9._-], not "." or ".."
  Ownership ownership;
  TopicSettings settings;
  WallMilliseconds created{0};
  WallMilliseconds changed{0};
  std::vector<PartitionInfo> partitions;  ///< partition i is partitions[i]
};
using TopicPtr = std::shared_ptr<const TopicInfo>;

struct PartitionPlace {
  TopicPtr topic;
  int32_t index = 0;
};

struct NewTopic {
  std::string name;
  int32_t partitions = 0;  ///< may be 0: a directory without files
  Ownership ownership{0, 0, 0755};
  Ownership partition_ownership{0, 0, 0644};
  TopicSettings settings;
};

/// What is set, changes; the rest stays.
struct OwnershipChange {
  std::optional<uint32_t> uid, gid, mode;
};

inline constexpr size_t kMaxTopicNameBytes = 249;
inline constexpr int32_t kMaxPartitionsPerTopic = 100'000;

/// Kafka's rules for names: 1 to 249 of [A-Za-z0-9._-], not "." or "..".
bool is_valid_topic_name(std::string_view name);
/// Two names that differ only in '.' against '_' collide in Kafka's metrics and are refused there.
bool topic_names_collide(std::string_view a, std::string_view b);

}  // namespace topicfs
