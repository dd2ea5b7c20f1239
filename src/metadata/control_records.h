// What the internal partition holds: every change of metadata, as one JSON object a record, in log order.
// topicfs-format(5), CONTROL RECORDS.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <topicfs/catalog.h>
#include <topicfs/result.h>

#include "metadata/group_records.h"
#include "wal/format.h"

namespace topicfs {

/// One packed object of the store.
struct StoredObject {
  std::string key;
  uint64_t epoch = 0, sequence = 0;   ///< also in the key; (epoch, sequence) orders objects
  wal::LogPosition from, to;          ///< the range of the log that it holds
  uint64_t size_bytes = 0;
  uint32_t footer_crc = 0;
};

struct TopicCreated {
  TopicInfo topic;
};
struct PartitionsAdded {
  Uuid topic;
  std::vector<PartitionInfo> partitions;
};
struct TopicDeleted {
  Uuid topic;
};
struct SettingsChanged {
  Uuid topic;
  TopicSettings settings;             ///< all of them
  WallMilliseconds changed{0};
};
struct OwnershipChanged {
  Uuid topic;
  std::optional<PartitionId> partition;  ///< none: the topic itself
  Ownership ownership;
  WallMilliseconds changed{0};
};
struct Offloaded {
  StoredObject object;
};
struct LogStart {
  PartitionId partition;
  Offset offset;                      ///< records before it are deleted
  TextPosition text;                  ///< where its text begins
};
inline constexpr size_t kMaxMovedLogStarts = 1000;  ///< in one record
/// Partitions that do not exist (any more) are passed over; a start never moves back.
struct LogStartsMoved {
  std::vector<LogStart> starts;
};

using ControlRecord = std::variant<TopicCreated, PartitionsAdded, TopicDeleted, SettingsChanged, OwnershipChanged,
                                   Offloaded, LogStartsMoved, GroupRecord>;

std::string encode(const ControlRecord& record);
/// kCorrupt if it is not such a record, kUnsupported if its type is not known.
Result<ControlRecord> decode_control_record(std::string_view json);

/// A topic as checkpoints keep it: the JSON of a TopicCreated.
std::string encode_topic(const TopicInfo& topic);

}  // namespace topicfs
