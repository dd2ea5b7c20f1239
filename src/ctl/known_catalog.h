// KnownCatalog: what a checkpoint and the control records behind it say: the names of partitions, the objects, and
// where each partition ends in the store. As the engine's own catalog, without a log to go on with.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metadata/checkpoint.h"

namespace topicfs::ctl {

class KnownCatalog {
 public:
  struct Known {
    std::string name;              ///< "orders/0"
    Offset log_start;
    TextPosition text_start;
    Offset stored_end;             ///< of what objects hold
    TextPosition stored_text;
    std::vector<Extent> extents;   ///< as the checkpoint has them
  };
  struct Object {
    StoredObject object;
    std::optional<uint32_t> index;  ///< by which a checkpoint's extents name it; none if it is newer
  };

  KnownCatalog() { partitions_[kControlPartition].name = kControlName; }

  void restore(const Checkpoint& checkpoint);
  /// In order of the log.
  void replay(const ControlRecord& record);
  /// An object that goes on where the others end.
  void add(const StoredObject& object);

  /// Whether `partition` lacks nothing by lacking what is before `offset`: it is deleted. Ask when all is replayed.
  bool is_deleted_below(PartitionId partition, Offset offset) const;
  /// "orders/0", or "partition 17" where no record names it.
  std::string name_of(PartitionId id) const;
  Known* find(PartitionId id);
  /// By key, which is by epoch and sequence.
  const std::map<std::string, Object>& objects() const { return objects_; }
  const std::map<PartitionId, Known>& partitions() const { return partitions_; }
  /// The log before this is in objects.
  wal::LogPosition offloaded() const { return offloaded_; }

 private:
  static constexpr char kControlName[] = "topicfs.control/0";
  void name(const TopicInfo& topic);

  std::map<PartitionId, Known> partitions_;
  std::map<std::string, Object> objects_;
  struct Topic {
    std::string name;
    std::vector<PartitionId> partitions;
  };
  std::map<Uuid, Topic> topics_;
  wal::LogPosition offloaded_;
};

/// The records of a batch of the internal partition. kCorrupt, kUnsupported.
Result<std::vector<ControlRecord>> control_records_of(ByteSpan batch);
/// For people: "the topic orders was created".
std::string describe(const ControlRecord& record);

}  // namespace topicfs::ctl
