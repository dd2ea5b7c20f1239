// The engine's whole interface. The FUSE daemon calls it directly; the gateway calls the same
// interface through a Unix socket and shared memory (src/ipc). No verb blocks: what can wait
// takes a completion, which is called exactly once, on the log's thread, an executor's, or the
// caller's own before the verb returns; so hold no lock across a call that the completion takes.
// Every function may be called from any thread.
//
// Ten verbs move and show data: append_batch, append_text, cancel, sync, delete_records, ends, read_text, fetch,
// find_timestamp and leader_epochs. The others keep what must be durable in the same log: topics and their settings,
// producer ids, and what consumer groups have committed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <topicfs/catalog.h>
#include <topicfs/completion.h>
#include <topicfs/groups.h>
#include <topicfs/types.h>

namespace topicfs {

/// Keeps the bytes that a read or fetch refers to where they are; drop it soon (within 30 s).
using Pin = std::shared_ptr<const void>;

/// Bytes in pieces, valid while `pin` lives.
struct Bytes {
  std::vector<ByteSpan> pieces;
  size_t size = 0;  ///< sum of the pieces
  Pin pin;
};

enum class Ack {
  buffered,  ///< visible in the file, not yet safe
  durable,   ///< covered by a sync of the log
};
enum class Wait {
  yes,  ///< when the log is full: wait up to the engine's append timeout
  no,   ///< when the log is full: kWouldBlock
};

struct AppendOptions {
  Ack ack = Ack::durable;
  Wait wait = Wait::yes;
};

struct Appended {
  Offset base_offset;                     ///< of the first record
  Offset log_start;                       ///< of the partition, at the time
  TextPosition text_end;                  ///< the partition's text end just behind this append
  /// -1 unless message.timestamp.type=LogAppendTime; of a batch that was there already, its largest timestamp.
  WallMilliseconds log_append_time{-1};
  std::chrono::milliseconds waited{0};    ///< for room in the log
};

/// Whether the last line of an append ends in a newline.
enum class LastLine {
  complete,
  unfinished,  ///< becomes a marked record, which shows without a newline
};

/// A request that may still be waiting for room; 0 when it is answered or can't be cancelled.
using RequestId = uint64_t;

/// Where a partition begins and ends. Offsets: log_start <= durable_end <= visible_end.
struct PartitionEnds {
  Offset log_start;
  Offset durable_end;           ///< high watermark: what Kafka readers see
  Offset visible_end;           ///< what the file shows
  TextPosition text_start;      ///< text position of log_start
  TextPosition text_end;        ///< text position of visible_end: the file's size
  int64_t retained_bytes = 0;   ///< stored bytes between log_start and the end, for st_blocks
  WallMilliseconds modified{0}; ///< time of the last append, mtime
};

struct Fetched {
  Bytes batches;            ///< whole v2 batches, the first one contains `from`
  PartitionEnds ends;       ///< as seen when the batches were chosen
};

struct TextRead {
  Bytes text;               ///< starts at the position asked for; empty at the visible end
  PartitionEnds ends;
};

struct TimestampedOffset {
  Offset offset{-1};        ///< -1: no such record
  int64_t timestamp = -1;   ///< the record's own
  int32_t leader_epoch = -1;
};

enum class OnlyEmpty { yes, no };

/// Told of changes, from the thread that made them: return soon, call back into the engine if
/// you like, never block.
class EngineListener {
 public:
  virtual ~EngineListener() = default;
  /// Appends to these partitions have become durable. Once per commit.
  virtual void on_durable(std::span<const PartitionId>) {}
  /// The file of this partition has grown.
  virtual void on_visible(PartitionId) {}
  /// Retention or a request has moved the log start of this partition.
  virtual void on_trimmed(PartitionId) {}
  /// Created or changed.
  virtual void on_topic_changed(const TopicPtr&) {}
  virtual void on_topic_deleted(const TopicPtr&) {}
};

class Engine {
 public:
  virtual ~Engine() = default;

  // ---- the catalog. Look-ups answer from memory; changes are durable when they are answered.

  virtual TopicPtr find_topic(std::string_view name) = 0;  ///< nullptr: none, as of the next two
  virtual TopicPtr find_topic(const Uuid& id) = 0;
  virtual TopicPtr find_topic(TopicNumber number) = 0;
  virtual std::optional<PartitionPlace> find_partition(PartitionId id) = 0;  ///< nullopt: none, or its topic is deleted
  virtual std::vector<TopicPtr> list_topics() = 0;  ///< sorted by name

  /// kInvalidArgument (name, count, a setting), kExists, kReadOnly.
  virtual void create_topic(NewTopic topic, Completion<TopicPtr> done) = 0;
  /// Grow to `total` partitions; the new ones get `ownership`. kNotFound, kInvalidArgument
  /// (fewer, or too many), kExists (it has `total` or more already), kReadOnly.
  virtual void add_partitions(const Uuid& topic, int32_t total, Ownership ownership,
                              Completion<TopicPtr> done) = 0;
  /// kNotFound; kNotEmpty with OnlyEmpty::yes if any partition has ever held a record.
  virtual void delete_topic(const Uuid& topic, OnlyEmpty only_empty, Completion<void> done) = 0;
  /// Set (value) or reset (nullopt) settings. kNotFound, kInvalidArgument (names the setting).
  virtual void change_settings(const Uuid& topic,
                               std::map<std::string, std::optional<std::string>> changes,
                               Completion<TopicPtr> done) = 0;
  /// chown(2) and chmod(2) of a topic or one partition; who may is the caller's to know. kNotFound, kReadOnly.
  virtual void change_ownership(const Uuid& topic, OwnershipChange change, Completion<TopicPtr> done) = 0;
  virtual void change_ownership(PartitionId partition, OwnershipChange change,
                                Completion<TopicPtr> done) = 0;
  /// Sets what `ends().modified` shows until the next append: utimensat(2). Not durable by itself.
  virtual void set_modified(PartitionId partition, WallMilliseconds time, Completion<void> done) = 0;

  // ---- appends

  /// Append one RecordBatch v2 as a Kafka producer sent it: validated (kCorrupt: CRC, structure,
  /// undecodable; kTooLarge: max.message.bytes or max_batch_text; kUnsupported: magic or codec;
  /// kInvalidArgument: a rule of reference/kafka.md), stamped with its offset, copied before
  /// `append_batch` returns; `batch` may be memory that another process can write to.
  /// A batch of an idempotent producer must follow its last one (kOutOfOrder) and be of its newest epoch (kStaleEpoch);
  /// one of its last five that comes again is answered as it was the first time, once that is durable. KIP-98.
  /// Also: kNotFound, kWouldBlock, kTimedOut and kFull (no room, retry), kReadOnly (poisoned), kCancelled.
  virtual RequestId append_batch(PartitionId partition, ByteSpan batch, AppendOptions options,
                                 Completion<Appended> done) = 0;
  /// Append lines: each becomes a record without its newline. `pieces` are one text in order, copied
  /// before the call returns if it is not queued, else when it returns too; all its lines are
  /// contiguous and recovered whole or not at all. At most kMaxTextAppendBytes. Errors as above.
  virtual RequestId append_text(PartitionId partition, std::span<const ByteSpan> pieces, LastLine last,
                                AppendOptions options, Completion<Appended> done) = 0;
  /// If the append still waits for room, it ends with kCancelled and nothing is written.
  virtual void cancel(RequestId request) = 0;
  /// Everything appended to the partition before this call is durable. kReadOnly, kNotFound.
  virtual void sync(PartitionId partition, Completion<void> done) = 0;
  /// Deletes the records before `before`, or all that are durable (kDurableEnd): the log start moves there, to that
  /// very record, and never back. Answers the log start, durable. kOutOfRange beyond the durable end or below 0,
  /// kNotFound, kReadOnly, and the errors of reads, because the record's text position has to be found.
  virtual void delete_records(PartitionId partition, Offset before, Completion<Offset> done) = 0;
  static constexpr Offset kDurableEnd{-1};
  /// A block of `count` producer ids that no one was given before, also after the loss of the data directory;
  /// answers the first. kFull when this start of the engine has no more.
  virtual void allocate_producer_ids(int32_t count, Completion<int64_t> done) = 0;

  // ---- reads

  virtual Result<PartitionEnds> ends(PartitionId partition) = 0;  ///< kNotFound
  /// Up to `max_bytes` of text from `from`; empty at the end. From below text_start:
  /// kOutOfRange. kNotFound, kCorrupt, kUnavailable (the object store).
  virtual void read_text(PartitionId partition, TextPosition from, size_t max_bytes,
                         Completion<TextRead> done) = 0;
  /// Whole durable batches from the one that contains `from`, up to `max_bytes` but at least one;
  /// empty if `from` is the durable end. kOutOfRange below the log start or above the visible end.
  virtual void fetch(PartitionId partition, Offset from, size_t max_bytes, Completion<Fetched> done) = 0;
  /// The first record with a timestamp >= `timestamp` (milliseconds); kMaxTimestamp asks for the
  /// first record that has the largest one. kNotFound, and the errors of reads.
  virtual void find_timestamp(PartitionId partition, int64_t timestamp,
                              Completion<TimestampedOffset> done) = 0;
  static constexpr int64_t kMaxTimestamp = -3;
  /// The leader epochs in which the partition got its records, ascending; each lasts until the next begins. kNotFound.
  virtual void leader_epochs(PartitionId partition, Completion<std::vector<EpochStart>> done) = 0;

  // ---- consumer groups: kept by name; their coordinator is the gateway's. Changes are durable when answered.

  /// Sets what the group has committed for these partitions, all or nothing. Offsets of partitions that do not exist
  /// (any more) are left out; those of a topic go with it. kFull (a limit of groups.h), kTooLarge (too many at once), kReadOnly.
  virtual void commit_offsets(std::string group, std::vector<CommittedOffset> offsets, Completion<void> done) = 0;
  /// By partition; empty if the group has committed nothing.
  virtual void fetch_offsets(std::string group, Completion<std::vector<CommittedOffset>> done) = 0;
  /// Forgets what the group has committed for these partitions, as far as it has. kReadOnly.
  virtual void delete_offsets(std::string group, std::vector<PartitionId> partitions, Completion<void> done) = 0;
  /// Replaces all but the group's offsets. kFull, kTooLarge, kReadOnly.
  virtual void save_group(std::string group, GroupState state, Completion<void> done) = 0;
  /// With its offsets. kNotFound, kReadOnly.
  virtual void delete_group(std::string group, Completion<void> done) = 0;
  /// The groups whose names come after `after`, by name, as many as fit into one answer; empty: there are no more.
  virtual void list_groups(std::string after, Completion<std::vector<StoredGroup>> done) = 0;

  // ---- the rest

  /// What the calling thread asks for between these two may leave together, when it calls the second: who is about to ask
  /// for several things and then waits spares wake-ups. Not nested.
  virtual void hold_requests() {}
  virtual void release_requests() {}
  /// Not called any more when remove_listener has returned.
  virtual void add_listener(EngineListener* listener) = 0;
  virtual void remove_listener(EngineListener* listener) = 0;
  /// That of all partitions: it grows with each start of the engine, and never goes back, so that readers notice what
  /// a crash or the loss of the data directory took from them (KIP-320).
  virtual int32_t leader_epoch() = 0;
  /// Identity of the store: Kafka's cluster id.
  virtual Uuid store_id() = 0;
  /// One JSON object: versions, log, pool, objects, caches, errors (topicfsctl(1)).
  virtual void status(Completion<std::string> done) = 0;
};

inline constexpr size_t kMaxTextAppendBytes = 2 << 20;

}  // namespace topicfs
