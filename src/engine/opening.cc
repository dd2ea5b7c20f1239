// How an engine comes up: who we are and whose data this is (the store's identity, an epoch of our own), then
// what we know (the local checkpoint, or the bucket's), then the log. Any failure on the way ends the start.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/log.h"
#include "engine/bucket.h"
#include "engine/local_engine.h"

namespace topicfs {
namespace {

constexpr char kIdentityFile[] = "identity";
constexpr char kCheckpointFile[] = "checkpoint";
constexpr char kEpochFile[] = "epoch";
constexpr uint64_t kMaxIdentityBytes = 4096;
constexpr size_t kClaimsRemembered = 64;
constexpr uint64_t kMinWalSegments = 4;
constexpr uint64_t kMaxEpoch = INT32_MAX;  // it is Kafka's leader epoch, and part of producer ids
constexpr size_t kControlStep = 1 << 20;
constexpr size_t kAdoptStep = 8 << 20;

}  // namespace

/// One start, as a chain of steps; keeps itself alive until `done_` is called.
class EngineOpening : public std::enable_shared_from_this<EngineOpening> {
 public:
  EngineOpening(EngineOptions options, EngineParts parts, Completion<std::unique_ptr<LocalEngine>> done)
      : engine_(new LocalEngine(std::move(options), parts)),
        options_(engine_->options_),
        parts_(engine_->parts_),
        bucket_(parts_.store),
        done_(std::move(done)) {}

  void run() {
    if (auto r = prepare_directory(); !r) return end(tl::unexpected<Error>(r.error()));
    bucket_.read_identity([self = shared_from_this()](Result<std::optional<Uuid>> id) {
      if (!id) return self->end(tl::unexpected<Error>(id.error()));
      self->identify(*id);
    });
  }

 private:
  void end(Result<void> result) {
    Completion<std::unique_ptr<LocalEngine>> done = std::move(done_);
    if (result) done(std::move(engine_));
    else done(tl::unexpected<Error>(std::move(result).error()));
  }

  std::string wal_dir() const { return options_.data_dir + "/wal"; }

  Result<void> prepare_directory() {
    const EngineOptions& o = options_;
    if (o.wal_segment_bytes < wal::kMinSegmentBytes || o.wal_segment_bytes > wal::kMaxSegmentBytes ||
        (o.wal_segment_bytes & (o.wal_segment_bytes - 1)))
      return fail(Errc::kInvalidArgument, "wal-segment-size must be a power of two from 1 MiB to 2 GiB");
    if (o.wal_max_bytes / o.wal_segment_bytes < kMinWalSegments)
      return fail(Errc::kInvalidArgument, "wal-max-size must be at least 4 times wal-segment-size");
    TRY(parts_.files.make_directories(wal_dir()));
    TRY_ASSIGN(engine_->lock_, parts_.files.lock(o.data_dir + "/lock"));
    // What is seen here may be a file that a daemon renamed before its sync failed. It must stay what it is: what is done
    // on its word, such as using log segments again, cannot be taken back.
    TRY(parts_.files.sync_directory(o.data_dir));
    auto identity = read_file(parts_.files, o.data_dir + "/" + kIdentityFile, kMaxIdentityBytes);
    if (identity) {
      std::string text(as_text(*identity));
      while (!text.empty() && text.back() == '\n') text.pop_back();
      Uuid id;
      if (!parse_uuid(text, id)) return fail(Errc::kCorrupt, o.data_dir + "/identity does not hold a store's id");
      local_id_ = id;
    } else if (identity.error().code != Errc::kNotFound) {
      return tl::unexpected<Error>(identity.error());
    }
    return {};
  }

  void identify(std::optional<Uuid> bucket_id) {
    if (bucket_id && local_id_ && *bucket_id != *local_id_)
      return end(fail(Errc::kInvalidArgument,
                      options_.data_dir + " belongs to store " + to_string(*local_id_) + ", but " +
                          parts_.store.url() + " is store " + to_string(*bucket_id) +
                          "; give each store a data directory of its own"));
    if (auto r = read_checkpoint(); !r) return end(r);
    if (auto r = read_known(); !r) return end(r);
    if (!bucket_id && checkpoint_ && !checkpoint_->objects.empty())
      return end(fail(Errc::kInvalidArgument, parts_.store.url() + " is empty, but the catalog in " + options_.data_dir +
                                                  " names " + std::to_string(checkpoint_->objects.size()) +
                                                  " objects in it; check --store"));
    if (bucket_id) {
      engine_->store_id_ = *bucket_id;
      return check_ours(&EngineOpening::claim);
    }
    engine_->store_id_ = local_id_ ? *local_id_ : random_uuid(parts_.random);
    bucket_.write_identity(engine_->store_id_, [self = shared_from_this()](Result<void> r) {
      if (!r) return self->end(r);
      self->claim();
    });
  }

  Result<void> read_checkpoint() {
    auto bytes = read_file(parts_.files, options_.data_dir + "/" + kCheckpointFile, kMaxCheckpointBytes);
    if (!bytes && bytes.error().code == Errc::kNotFound) return {};
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    TRY_ASSIGN(Checkpoint c, decode_checkpoint(*bytes));
    // Without an identity the directory is one that was being recovered into: start that again.
    if (local_id_) checkpoint_ = std::move(c);
    return {};
  }

  /// What of ours may be in the bucket at most: a checkpoint is durable here before it is uploaded, and a claim before
  /// anything of its epoch is.
  Result<void> read_known() {
    if (!local_id_) return {};
    if (checkpoint_) known_ = {checkpoint_->epoch, checkpoint_->sequence};
    std::string path = options_.data_dir + "/" + kEpochFile;
    auto bytes = read_file(parts_.files, path, kMaxIdentityBytes);
    if (!bytes && bytes.error().code == Errc::kNotFound) return {};
    if (!bytes) return tl::unexpected<Error>(bytes.error());
    std::string_view text = as_text(*bytes);
    for (const char *at = text.data(), *behind = at + text.size(); at != behind;) {
      uint64_t epoch = 0;
      auto [end, error] = std::from_chars(at, behind, epoch);
      if (error != std::errc() || end == behind || *end != '\n') {
        LOG_WARNING("{} does not hold the epochs that were claimed last; what the checkpoint says counts", path);
        claimed_.clear();
        return {};
      }
      claimed_.push_back(epoch);
      at = end + 1;
    }
    if (!claimed_.empty()) known_ = std::max(known_, EpochAndSequence{claimed_.back(), 0});
    return {};
  }

  /// A full disk does not keep anyone from reading: then the claim is forgotten, and at worst a later start is refused.
  Result<void> remember_claim() {
    claimed_.push_back(engine_->epoch_);
    if (claimed_.size() > kClaimsRemembered) claimed_.erase(claimed_.begin());
    std::string text;
    for (uint64_t epoch : claimed_) text += std::to_string(epoch) + "\n";
    auto written = write_file(parts_.files, options_.data_dir, kEpochFile, as_byte_span(text));
    if (written || written.error().code != Errc::kNoSpace) return written;
    LOG_WARNING("cannot note the epoch {} in {}: {}", engine_->epoch_, options_.data_dir, written.error().message());
    return {};
  }

  /// That the bucket holds nothing later than what is known here. Another machine may have taken it over, or the directory
  /// is an old copy: what it knows must not become the newest.
  void check_ours(void (EngineOpening::*next)()) {
    if (!local_id_) return (this->*next)();
    bucket_.find_newest_checkpoint([self = shared_from_this(), next](Result<std::optional<ListedCheckpoint>> newest) {
      if (!newest) return self->end(tl::unexpected<Error>(std::move(newest).error()));
      if (*newest && (*newest)->name > self->known_)
        return self->end(fail(Errc::kInvalidArgument,
                              fmt::format("{} has been written by a daemon with another data directory since {} was last used: "
                                          "its {} is newer. Start with an empty data directory, which recovers what is in the "
                                          "store; topicfs-dump shows what this one's log holds beyond that",
                                          self->parts_.store.url(), self->options_.data_dir, (*newest)->key)));
      (self.get()->*next)();
    });
  }

  void claim() {
    bucket_.claim_epoch([self = shared_from_this()](Result<uint64_t> epoch) {
      if (!epoch) return self->end(tl::unexpected<Error>(epoch.error()));
      if (*epoch > kMaxEpoch) return self->end(fail(Errc::kCorrupt, "an epoch of " + std::to_string(*epoch) + " was claimed"));
      self->engine_->epoch_ = *epoch;
      self->engine_->next_producer_id_ = static_cast<int64_t>(*epoch) << kProducerIdBits;
      if (auto r = self->remember_claim(); !r) return self->end(r);
      // Again, for what was written since: who claims now starts from it.
      if (self->local_id_) return self->check_ours(&EngineOpening::open_local);
      self->bucket_.read_state(self->engine_->store_id_, [self](Result<BucketState> state) {
        if (!state) return self->end(tl::unexpected<Error>(state.error()));
        self->open_from_bucket(std::move(*state));
      });
    });
  }

  void open_local() {
    if (!checkpoint_)
      return end(fail(Errc::kCorrupt, fmt::format("{}/{} is missing, and the log says nothing without it; restore it, or "
                                                  "recover from the store with an empty data directory",
                                                  options_.data_dir, kCheckpointFile)));
    Result<void> r = assemble();
    if (r && checkpoint_) r = engine_->restore(std::move(*checkpoint_));
    if (r) r = recover(engine_->log_from_);
    if (r) r = start();
    end(std::move(r));
  }

  void open_from_bucket(BucketState state) {
    Result<void> r = assemble();
    if (r && state.checkpoint) {
      LOG_INFO("{} is empty: recovering from {}", options_.data_dir, parts_.store.url());
      r = engine_->restore(std::move(*state.checkpoint));
    }
    if (!r) return end(std::move(r));
    newer_ = std::move(state.newer);
    adopt_next(0);
  }

  /// Objects that were put after the bucket's checkpoint, in order.
  void adopt_next(size_t i) {
    if (i == newer_.size()) return settle();
    engine_->objects_->find_footer(newer_[i].key, [self = shared_from_this(), i](Result<FooterPtr> footer) {
      if (!footer) return self->end(tl::unexpected<Error>(std::move(footer).error()));
      self->read_control(i, *footer, {}, Offset(0));
    });
  }

  /// The object's batches of the internal partition, read to the last, then the object is adopted.
  void read_control(size_t i, FooterPtr footer, std::vector<std::vector<std::byte>> batches, Offset from) {
    auto blocks = footer->blocks_of(kControlPartition);
    if (blocks.empty() || from >= blocks.back().end_offset) {
      std::vector<BatchView> views;
      for (const auto& b : batches) views.push_back({Offset(0), Offset(0), TextPosition(0), 0, 0, b});
      if (auto r = engine_->adopt(newer_[i], *footer, views); !r) return end(std::move(r));
      return read_headers(i, footer, 0);
    }
    auto kept = std::make_shared<std::vector<std::vector<std::byte>>>(std::move(batches));
    engine_->objects_->read_object(
        newer_[i].key, kControlPartition, from, kControlStep,
        [self = shared_from_this(), i, footer, kept](Result<ObjectRead> read) {
          if (!read) return self->end(tl::unexpected<Error>(std::move(read).error()));
          for (const BatchView& b : read->batches) kept->emplace_back(b.bytes.begin(), b.bytes.end());
          self->read_control(i, footer, std::move(*kept), read->batches.back().end_offset);
        });
  }

  /// The object's data once through, some blocks at a time: its batches' headers tell of producers and leader epochs.
  void read_headers(size_t i, FooterPtr footer, size_t block) {
    const std::vector<BlockEntry>& blocks = footer->blocks;
    auto is_data = [&](const BlockEntry& b) { return b.partition != kControlPartition && engine_->catalog_.partition(b.partition); };
    while (block < blocks.size() && !is_data(blocks[block])) block++;
    if (block == blocks.size()) return adopt_next(i + 1);
    size_t end_block = block;
    ObjectRange range{blocks[block].position, 0};
    while (end_block < blocks.size() && is_data(blocks[end_block]) &&
           (end_block == block || range.size + blocks[end_block].size <= kAdoptStep))
      range.size += blocks[end_block++].size;
    parts_.store.get(newer_[i].key, range, [self = shared_from_this(), i, footer, block, end_block, range](Result<ObjectBytes> got) {
      if (got && got->bytes.size() != range.size)
        got = fail(Errc::kUnavailable, self->newer_[i].key + ": the store's answer ended early");
      if (!got) return self->end(tl::unexpected<Error>(std::move(got).error()));
      ByteSpan left = got->bytes;
      for (size_t b = block; b < end_block; b++) {
        const BlockEntry& entry = footer->blocks[b];
        auto batches = BlockReader::open(entry, left.first(entry.size));
        if (!batches) return self->end(tl::unexpected<Error>(batches.error()));
        if (auto r = self->engine_->adopt_headers(entry.partition, *batches); !r) return self->end(std::move(r));
        left = left.subspan(entry.size);
      }
      self->read_headers(i, footer, end_block);
    });
  }

  /// A log of its own for what came out of the bucket, and a checkpoint, so that the next start needs no bucket.
  void settle() {
    LocalEngine& e = *engine_;
    wal::LogPosition behind = e.log_from_;
    Result<void> r = recover({});
    e.recovered_.start.segment = std::max(e.recovered_.start.segment, behind.segment() + 1);
    e.offloader_->recover_from(wal::LogPosition::at(e.recovered_.start.segment, 0));
    if (r) r = start();
    if (r) r = e.checkpoints_->save_first();
    if (r) r = write_identity();
    end(std::move(r));
  }

  Result<void> assemble() {
    LocalEngine& e = *engine_;
    uint32_t chunk = ChunkPool::suitable_chunk_bytes(options_.pool_bytes);
    chunk = static_cast<uint32_t>(std::min<uint64_t>(chunk, options_.wal_segment_bytes));
    TRY_ASSIGN(e.pool_, ChunkPool::create(options_.pool_bytes, chunk));
    TRY_ASSIGN(e.sync_probe_, probe_sync_method(parts_.files, wal_dir(), parts_.clock));
    wal::SegmentOptions s;
    s.directory = wal_dir();
    s.store = e.store_id_;
    s.segment_bytes = options_.wal_segment_bytes;
    s.max_segments = static_cast<uint32_t>(options_.wal_max_bytes / options_.wal_segment_bytes);
    s.method = e.sync_probe_.method;
    e.segments_ = std::make_unique<wal::Segments>(s, parts_.files, parts_.device, *e.pool_);
    uint64_t for_reads = std::min(options_.block_cache_bytes, options_.pool_bytes / PoolBlockMemory::kPoolShare);
    auto chunks = static_cast<uint32_t>(for_reads / chunk);
    e.block_memory_ = std::make_unique<PoolBlockMemory>(*e.pool_, chunks);
    // The cache lets go of blocks before their chunks are full: what has just been read must find room there.
    cached_bytes_ = chunks > 0 ? uint64_t{chunks} * chunk / 4 * 3 : options_.block_cache_bytes;
    e.objects_ = std::make_unique<StoredObjects>(parts_.store, options_.footer_cache_bytes, cached_bytes_, *e.block_memory_);
    e.make_offloader();
    return {};
  }

  Result<void> recover(wal::LogPosition from) {
    LocalEngine& e = *engine_;
    e.offloader_->recover_from(from);
    TRY_ASSIGN(e.recovered_, wal::recover(parts_.files, wal_dir(), e.store_id_, from, *e.segments_, e));
    return {};
  }

  Result<void> start() {
    LocalEngine& e = *engine_;
    // The checkpoint may know control records that are lost with the log, or with its end: new ones come behind all that
    // are known, or the next start would pass over them.
    Partition* control = e.catalog_.partition(kControlPartition);
    if (Offset known(e.control_end_.load()); control->next_offset < known)
      control->trim(known, control->ends().text_end, kNeverDropped);
    for (Partition* p : e.catalog_.partitions()) p->reach_log_start();
    wal::LogOptions log;
    log.sync_interval = options_.wal_sync_interval;
    e.log_ = std::make_unique<wal::Log>(log, e.recovered_.start, *e.segments_, parts_.device, parts_.executor,
                                        parts_.clock, static_cast<wal::LogClient&>(e));
    AppendLimits limits;
    limits.append_timeout = options_.append_timeout;
    limits.producer_expiration = options_.producer_id_expiration;
    limits.max_batch_text = options_.max_batch_text;
    e.appends_ = std::make_unique<AppendPath>(
        limits, e.leader_epoch(), *e.log_, e.producers_, parts_.executor, parts_.clock,
        [&e](PartitionId id) { e.listeners_.tell([id](EngineListener& l) { l.on_visible(id); }); });
    e.control_ = std::make_unique<ControlQueue>(
        *e.appends_, [&e](const ControlRecord& record, Offset offset) { e.apply(record, offset); });
    e.control_->set_partition(e.catalog_.partition(kControlPartition));
    e.groups_.start(*e.control_, options_.wal_segment_bytes / 4);
    e.reads_ = std::make_unique<ReadPath>(*e.segments_, parts_.device, *e.objects_, cached_bytes_ / 2);
    TRY(e.segments_->start(e.recovered_.start.segment, [&e] { e.appends_->on_room(); }));
    e.pool_->set_on_free([&e] { e.parts_.executor.post([&e] { e.appends_->on_room(); }); });
    e.checkpoints_->start(*e.control_, [&e] { e.collector_->on_announced(); });
    e.offloader_->start(*e.control_);
    e.collector_->start(std::move(claimed_));
    e.retention_->start();
    LOG_INFO("opened {}: store {}, epoch {}, {} topics, {} entries from the log, writes by {}", options_.data_dir,
             to_string(e.store_id_), e.epoch_, e.catalog_.counts().topics, e.recovered_.entries,
             name_of(e.sync_probe_.method));
    return {};
  }

  Result<void> write_identity() {
    std::string text = to_string(engine_->store_id_) + "\n";
    return write_file(parts_.files, options_.data_dir, kIdentityFile, as_byte_span(text));
  }

  std::unique_ptr<LocalEngine> engine_;
  const EngineOptions& options_;
  const EngineParts& parts_;
  Bucket bucket_;
  Completion<std::unique_ptr<LocalEngine>> done_;
  std::optional<Uuid> local_id_;
  std::optional<Checkpoint> checkpoint_;
  std::vector<uint64_t> claimed_;  // epochs, by this directory's starts; the newest last
  EpochAndSequence known_;         // of what this directory has put into the bucket, or may have
  std::vector<NewerObject> newer_;
  uint64_t cached_bytes_ = 0;  // of blocks
};

void LocalEngine::open(EngineOptions options, EngineParts parts, Completion<std::unique_ptr<LocalEngine>> done) {
  std::make_shared<EngineOpening>(std::move(options), parts, std::move(done))->run();
}

}  // namespace topicfs
