// The messages of the gateway's socket, one struct per verb. Each declares its members once, in
// `fields`. See frame.h for how they travel.
#pragma once

#include <topicfs/engine.h>

#include "ipc/frame.h"

namespace topicfs::ipc {

inline constexpr uint32_t kMagic = 0x31434654;  // "TFC1"
/// Raised with every change of a message; both programs come from one build, so they must agree.
inline constexpr uint16_t kVersion = 4;

template <>
inline constexpr Ack kLargest<Ack> = Ack::durable;
template <>
inline constexpr Wait kLargest<Wait> = Wait::no;
template <>
inline constexpr LastLine kLargest<LastLine> = LastLine::unfinished;
template <>
inline constexpr OnlyEmpty kLargest<OnlyEmpty> = OnlyEmpty::no;
template <>
inline constexpr Errc kLargest<Errc> = Errc::kStaleEpoch;

/// `fields` serves const (writing) and mutable (reading) values of T alike.
template <class T, class As>
concept Is = std::is_same_v<std::remove_const_t<T>, As>;

// ---- the engine's own types

template <Is<Ownership> T, class Io>
void fields(T& t, Io& io) {
  io(t.uid, t.gid, t.mode);
}
template <Is<OwnershipChange> T, class Io>
void fields(T& t, Io& io) {
  io(t.uid, t.gid, t.mode);
}
template <Is<PartitionInfo> T, class Io>
void fields(T& t, Io& io) {
  io(t.id, t.ownership, t.created, t.changed);
}
template <Is<TopicInfo> T, class Io>
void fields(T& t, Io& io) {
  io(t.id, t.number, t.name, t.ownership, t.settings, t.created, t.changed, t.partitions);
}
template <Is<NewTopic> T, class Io>
void fields(T& t, Io& io) {
  io(t.name, t.partitions, t.ownership, t.partition_ownership, t.settings);
}
template <Is<AppendOptions> T, class Io>
void fields(T& t, Io& io) {
  io(t.ack, t.wait);
}
template <Is<Appended> T, class Io>
void fields(T& t, Io& io) {
  io(t.base_offset, t.log_start, t.text_end, t.log_append_time, t.waited);
}
template <Is<PartitionEnds> T, class Io>
void fields(T& t, Io& io) {
  io(t.log_start, t.durable_end, t.visible_end, t.text_start, t.text_end, t.retained_bytes, t.modified);
}
template <Is<TimestampedOffset> T, class Io>
void fields(T& t, Io& io) {
  io(t.offset, t.timestamp, t.leader_epoch);
}
template <Is<EpochStart> T, class Io>
void fields(T& t, Io& io) {
  io(t.epoch, t.start);
}
template <Is<CommittedOffset> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.offset, t.leader_epoch, t.metadata, t.committed);
}
template <Is<GroupMember> T, class Io>
void fields(T& t, Io& io) {
  io(t.id, t.instance_id, t.client_id, t.client_host, t.session_timeout_ms, t.rebalance_timeout_ms, t.subscription,
     t.assignment);
}
template <Is<GroupState> T, class Io>
void fields(T& t, Io& io) {
  io(t.protocol_type, t.generation, t.protocol, t.leader, t.members, t.changed);
}
template <Is<StoredGroup> T, class Io>
void fields(T& t, Io& io) {
  io(t.name, t.state, t.offsets, t.last_commit);
}
template <Is<RecordFault> T, class Io>
void fields(T& t, Io& io) {
  io(t.index, t.why);
}
template <Is<Error> T, class Io>
void fields(T& t, Io& io) {
  io(t.code, t.sys_errno, t.what, t.records);
}

// ---- requests

struct Hello {
  static constexpr Verb kVerb = Verb::hello;
  uint32_t magic = kMagic;
  uint16_t version = kVersion;
};
template <Is<Hello> T, class Io>
void fields(T& t, Io& io) {
  io(t.magic, t.version);
}

struct CreateTopic {
  static constexpr Verb kVerb = Verb::create_topic;
  NewTopic topic;
};
template <Is<CreateTopic> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic);
}

struct AddPartitions {
  static constexpr Verb kVerb = Verb::add_partitions;
  Uuid topic;
  int32_t total = 0;
  Ownership ownership;
};
template <Is<AddPartitions> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic, t.total, t.ownership);
}

struct DeleteTopic {
  static constexpr Verb kVerb = Verb::delete_topic;
  Uuid topic;
  OnlyEmpty only_empty = OnlyEmpty::yes;
};
template <Is<DeleteTopic> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic, t.only_empty);
}

struct ChangeSettings {
  static constexpr Verb kVerb = Verb::change_settings;
  Uuid topic;
  std::map<std::string, std::optional<std::string>> changes;
};
template <Is<ChangeSettings> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic, t.changes);
}

struct ChangeTopicOwnership {
  static constexpr Verb kVerb = Verb::change_topic_ownership;
  Uuid topic;
  OwnershipChange change;
};
template <Is<ChangeTopicOwnership> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic, t.change);
}

struct ChangePartitionOwnership {
  static constexpr Verb kVerb = Verb::change_partition_ownership;
  PartitionId partition;
  OwnershipChange change;
};
template <Is<ChangePartitionOwnership> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.change);
}

struct SetModified {
  static constexpr Verb kVerb = Verb::set_modified;
  PartitionId partition;
  WallMilliseconds time{0};
};
template <Is<SetModified> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.time);
}

/// The batch stands in the arena.
struct AppendBatch {
  static constexpr Verb kVerb = Verb::append_batch;
  PartitionId partition;
  AppendOptions options;
  uint64_t arena_offset = 0;
  uint32_t size = 0;
};
template <Is<AppendBatch> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.options, t.arena_offset, t.size);
}

/// The text stands in the arena, in one piece.
struct AppendText {
  static constexpr Verb kVerb = Verb::append_text;
  PartitionId partition;
  AppendOptions options;
  LastLine last = LastLine::complete;
  uint64_t arena_offset = 0;
  uint32_t size = 0;
};
template <Is<AppendText> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.options, t.last, t.arena_offset, t.size);
}

/// The frame's request is the append's.
struct Cancel {
  static constexpr Verb kVerb = Verb::cancel;
};
template <Is<Cancel> T, class Io>
void fields(T&, Io&) {}

struct Sync {
  static constexpr Verb kVerb = Verb::sync;
  PartitionId partition;
};
template <Is<Sync> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition);
}

struct AllocateProducerIds {
  static constexpr Verb kVerb = Verb::allocate_producer_ids;
  int32_t count = 0;
};
template <Is<AllocateProducerIds> T, class Io>
void fields(T& t, Io& io) {
  io(t.count);
}

struct DeleteRecords {
  static constexpr Verb kVerb = Verb::delete_records;
  PartitionId partition;
  Offset before;
};
template <Is<DeleteRecords> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.before);
}

struct ReadText {
  static constexpr Verb kVerb = Verb::read_text;
  PartitionId partition;
  TextPosition from;
  uint64_t max_bytes = 0;
};
template <Is<ReadText> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.from, t.max_bytes);
}

struct Fetch {
  static constexpr Verb kVerb = Verb::fetch;
  PartitionId partition;
  Offset from;
  uint64_t max_bytes = 0;
};
template <Is<Fetch> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.from, t.max_bytes);
}

struct FindTimestamp {
  static constexpr Verb kVerb = Verb::find_timestamp;
  PartitionId partition;
  int64_t timestamp = 0;
};
template <Is<FindTimestamp> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition, t.timestamp);
}

struct GetLeaderEpochs {
  static constexpr Verb kVerb = Verb::get_leader_epochs;
  PartitionId partition;
};
template <Is<GetLeaderEpochs> T, class Io>
void fields(T& t, Io& io) {
  io(t.partition);
}

struct GetStatus {
  static constexpr Verb kVerb = Verb::status;
};
template <Is<GetStatus> T, class Io>
void fields(T&, Io&) {}

/// The bytes of these answers are not needed any more.
struct Release {
  static constexpr Verb kVerb = Verb::release;
  std::vector<uint64_t> pins;
};
template <Is<Release> T, class Io>
void fields(T& t, Io& io) {
  io(t.pins);
}

struct CommitOffsets {
  static constexpr Verb kVerb = Verb::commit_offsets;
  std::string group;
  std::vector<CommittedOffset> offsets;
};
template <Is<CommitOffsets> T, class Io>
void fields(T& t, Io& io) {
  io(t.group, t.offsets);
}

struct FetchOffsets {
  static constexpr Verb kVerb = Verb::fetch_offsets;
  std::string group;
};
template <Is<FetchOffsets> T, class Io>
void fields(T& t, Io& io) {
  io(t.group);
}

struct DeleteOffsets {
  static constexpr Verb kVerb = Verb::delete_offsets;
  std::string group;
  std::vector<PartitionId> partitions;
};
template <Is<DeleteOffsets> T, class Io>
void fields(T& t, Io& io) {
  io(t.group, t.partitions);
}

struct SaveGroup {
  static constexpr Verb kVerb = Verb::save_group;
  std::string group;
  GroupState state;
};
template <Is<SaveGroup> T, class Io>
void fields(T& t, Io& io) {
  io(t.group, t.state);
}

struct DeleteGroup {
  static constexpr Verb kVerb = Verb::delete_group;
  std::string group;
};
template <Is<DeleteGroup> T, class Io>
void fields(T& t, Io& io) {
  io(t.group);
}

struct ListGroups {
  static constexpr Verb kVerb = Verb::list_groups;
  std::string after;
};
template <Is<ListGroups> T, class Io>
void fields(T& t, Io& io) {
  io(t.after);
}

// ---- answers

struct Failed {
  static constexpr Verb kVerb = Verb::failed;
  Error error;
};
template <Is<Failed> T, class Io>
void fields(T& t, Io& io) {
  io(t.error);
}

struct Done {
  static constexpr Verb kVerb = Verb::done;
};
template <Is<Done> T, class Io>
void fields(T&, Io&) {}

/// The topic itself has come before, as topic_changed.
struct TopicDone {
  static constexpr Verb kVerb = Verb::topic_done;
  Uuid topic;
};
template <Is<TopicDone> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic);
}

struct AppendedAnswer {
  static constexpr Verb kVerb = Verb::appended;
  Appended appended;
};
template <Is<AppendedAnswer> T, class Io>
void fields(T& t, Io& io) {
  io(t.appended);
}

struct Number {
  static constexpr Verb kVerb = Verb::number;
  int64_t value = 0;
};
template <Is<Number> T, class Io>
void fields(T& t, Io& io) {
  io(t.value);
}

enum class PieceIn : uint8_t {
  tail,    ///< behind the message, in this frame
  pool,    ///< in the pool's memory
  bounce,  ///< copied into the bounce memory
};
template <>
inline constexpr PieceIn kLargest<PieceIn> = PieceIn::bounce;

struct Piece {
  PieceIn in = PieceIn::tail;
  uint64_t offset = 0;
  uint32_t size = 0;
};
template <Is<Piece> T, class Io>
void fields(T& t, Io& io) {
  io(t.in, t.offset, t.size);
}

/// Answer to read_text and fetch.
struct BytesAnswer {
  static constexpr Verb kVerb = Verb::bytes;
  PartitionEnds ends;
  uint64_t pin = 0;  ///< to release; 0: nothing is
  std::vector<Piece> pieces;
};
template <Is<BytesAnswer> T, class Io>
void fields(T& t, Io& io) {
  io(t.ends, t.pin, t.pieces);
}

struct Timestamp {
  static constexpr Verb kVerb = Verb::timestamp;
  TimestampedOffset found;
};
template <Is<Timestamp> T, class Io>
void fields(T& t, Io& io) {
  io(t.found);
}

struct LeaderEpochs {
  static constexpr Verb kVerb = Verb::leader_epochs;
  std::vector<EpochStart> epochs;
};
template <Is<LeaderEpochs> T, class Io>
void fields(T& t, Io& io) {
  io(t.epochs);
}

struct Text {
  static constexpr Verb kVerb = Verb::text;
  std::string text;
};
template <Is<Text> T, class Io>
void fields(T& t, Io& io) {
  io(t.text);
}

struct Offsets {
  static constexpr Verb kVerb = Verb::offsets;
  std::vector<CommittedOffset> offsets;
};
template <Is<Offsets> T, class Io>
void fields(T& t, Io& io) {
  io(t.offsets);
}

struct Groups {
  static constexpr Verb kVerb = Verb::groups;
  std::vector<StoredGroup> groups;
};
template <Is<Groups> T, class Io>
void fields(T& t, Io& io) {
  io(t.groups);
}

// ---- events

/// The daemon's hello. Four file descriptors come with it: arena, bounce, ends table, pool; the last
/// only if pool_bytes > 0.
struct Welcome {
  static constexpr Verb kVerb = Verb::welcome;
  uint32_t magic = kMagic;
  uint16_t version = kVersion;
  Uuid store_id;
  int32_t leader_epoch = 0;
  uint64_t arena_bytes = 0, bounce_bytes = 0, table_rows = 0, pool_bytes = 0;
};
template <Is<Welcome> T, class Io>
void fields(T& t, Io& io) {
  io(t.magic, t.version, t.store_id, t.leader_epoch, t.arena_bytes, t.bounce_bytes, t.table_rows, t.pool_bytes);
}

/// All topics have been sent.
struct Ready {
  static constexpr Verb kVerb = Verb::ready;
};
template <Is<Ready> T, class Io>
void fields(T&, Io&) {}

struct TopicChanged {
  static constexpr Verb kVerb = Verb::topic_changed;
  TopicInfo topic;
};
template <Is<TopicChanged> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic);
}

struct TopicDeleted {
  static constexpr Verb kVerb = Verb::topic_deleted;
  Uuid topic;
};
template <Is<TopicDeleted> T, class Io>
void fields(T& t, Io& io) {
  io(t.topic);
}

struct Durable {
  static constexpr Verb kVerb = Verb::durable;
  std::vector<PartitionId> partitions;
};
template <Is<Durable> T, class Io>
void fields(T& t, Io& io) {
  io(t.partitions);
}

}  // namespace topicfs::ipc
