// The engine's status as JSON: what .topicfs/status.json shows and topicfsctl prints.
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include "engine/local_engine.h"

namespace topicfs {
namespace {

class StatusWriter {
 public:
  StatusWriter() : w_(buffer_) { w_.SetIndent(' ', 2), w_.StartObject(); }
  void open(const char* name) { w_.Key(name), w_.StartObject(); }
  void close() { w_.EndObject(); }
  void put(const char* name, std::string_view v) {
    w_.Key(name), w_.String(v.data(), static_cast<rapidjson::SizeType>(v.size()));
  }
  void put(const char* name, uint64_t v) { w_.Key(name), w_.Uint64(v); }
  void put(const char* name, double v) { w_.Key(name), w_.Double(v); }
  std::string finish() {
    w_.EndObject();
    return std::string(buffer_.GetString(), buffer_.GetSize()) + "\n";
  }

 private:
  rapidjson::StringBuffer buffer_;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> w_;
};

double ratio(uint64_t a, uint64_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

}  // namespace

std::string LocalEngine::status_json() {
  wal::LogCounters log;
  wal::LogPosition durable;
  Error poison;
  {
    MutexLock l(log_->mutex());
    log = log_->counters(), durable = log_->durable_position(), poison = log_->poison();
  }
  wal::Segments::Counts segments = segments_->counts();
  AppendCounters appends = appends_->counters();
  ProducerCounters producers = appends_->producer_counters();
  OffloadCounters offload = offloader_->counters();
  CollectorCounters collected = collector_->counters();
  StoreCounters store = parts_.store.counters();
  FailedReads failed_reads = objects_->failed_reads();
  CacheCounters footers = objects_->footer_counters(), blocks = objects_->block_counters();
  Catalog::Counts catalog = catalog_.counts();
  StatusWriter w;
  w.put("version", TOPICFS_VERSION);
  w.put("store_id", to_string(store_id_));
  w.put("store", parts_.store.url());
  w.put("data_dir", options_.data_dir);
  w.put("epoch", epoch_);
  w.put("topics", uint64_t{catalog.topics});
  w.put("partitions", uint64_t{catalog.partitions});
  w.open("log");
  w.put("durable_segment", uint64_t{durable.segment()});
  w.put("durable_byte", uint64_t{durable.byte()});
  w.put("offloaded_segment", uint64_t{offloader_->offloaded().segment()});
  w.put("offloaded_byte", uint64_t{offloader_->offloaded().byte()});
  w.put("commits", log.commits);
  w.put("closing_commits", log.closing_commits);
  w.put("entries", log.entries);
  w.put("entries_per_commit", ratio(log.entries, log.commits));
  w.put("appends_per_commit", ratio(appends.placed, log.commits));
  w.put("payload_bytes", log.payload_bytes);
  w.put("padding_bytes", log.padding_bytes);
  w.put("commit_mean_us", ratio(log.sync_ns, log.commits) / 1000);
  w.put("sync_method", name_of(sync_probe_.method));
  w.put("sync_probe_us", static_cast<double>(sync_probe_.latency.count()) / 1000);
  w.put("segment_bytes", segments_->segment_bytes());
  w.put("segments_live", uint64_t{segments.live});
  w.put("segments_ready", uint64_t{segments.ready});
  w.put("segments_free", uint64_t{segments.free_files});
  w.put("segments_max", uint64_t{segments.max});
  w.put("recovered_entries", recovered_.entries);
  w.put("recovered_bytes", recovered_.bytes);
  w.put("torn_bytes", recovered_.torn_bytes);
  w.close();
  w.open("appends");
  w.put("placed", appends.placed);
  w.put("waiting", appends.waiting);
  w.put("waiting_bytes", appends.waiting_bytes);
  w.put("waited", appends.waited);
  w.put("timed_out", appends.timed_out);
  w.put("cancelled", appends.cancelled);
  w.close();
  w.open("producers");
  w.put("known", producers.known);
  w.put("known_max", uint64_t{kMaxProducers});
  w.put("repeated_batches", producers.repeated);
  w.put("refused_batches", producers.refused);
  w.put("expired", producers.expired);
  w.put("evicted", producers.evicted);
  w.close();
  w.open("reads");
  w.put("from_memory", reads_->counters().memory.load());
  w.put("from_segments", reads_->counters().segments.load());
  w.put("from_objects", reads_->counters().objects.load());
  w.close();
  w.open("pool");
  w.put("size_bytes", pool_->size_bytes());
  w.put("chunk_bytes", uint64_t{pool_->chunk_bytes()});
  w.put("chunks", uint64_t{pool_->chunks()});
  w.put("free_chunks", uint64_t{pool_->free_chunks()});
  w.put("log_chunks", uint64_t{segments.resident_chunks});
  w.close();
  w.open("objects");
  w.put("count", uint64_t{objects_->count()});
  w.put("stored_bytes", objects_->total_bytes());
  w.put("dead_bytes", dead_bytes());
  w.put("offloaded", offload.objects);
  w.put("offloaded_bytes", offload.bytes);
  w.put("pending_bytes", offload.pending_bytes);
  w.put("read_back_bytes", offload.read_back_bytes);
  w.put("checkpoints", checkpoints_->written());
  w.put("dead", uint64_t{objects_->dead_count()});
  w.put("deleted", collected.deleted);
  w.put("deleted_bytes", collected.deleted_bytes);
  w.put("orphans", collected.orphans);
  w.put("retention_moves", retention_->moves());
  w.put("puts", store.puts);
  w.put("put_bytes", store.put_bytes);
  w.put("gets", store.gets);
  w.put("get_bytes", store.get_bytes);
  w.put("lists", store.lists);
  w.put("deletes", store.deletes);
  w.close();
  w.open("cache");
  w.put("footer_hits", footers.hits);
  w.put("footer_misses", footers.misses);
  w.put("footer_bytes", footers.bytes);
  w.put("block_hits", blocks.hits);
  w.put("block_misses", blocks.misses);
  w.put("block_bytes", blocks.bytes);
  PoolBlockMemory::Counters memory = block_memory_->counters();
  w.put("block_chunks", memory.chunks);
  w.put("block_chunks_free", memory.free_chunks);
  w.put("blocks_in_pool", memory.in_pool);
  w.put("blocks_in_heap", memory.in_heap);
  ReadAheadCounters ahead = reads_->ahead_counters();
  w.put("ahead_loads", ahead.loads);
  w.put("ahead_bytes", ahead.bytes);
  w.put("ahead_pending_bytes", ahead.pending_bytes);
  w.close();
  w.open("errors");
  w.put("store", store.errors);
  w.put("object_reads", failed_reads.count);
  w.put("object_reads_last", failed_reads.last_error);
  w.put("offload_failures", offload.failures);
  w.put("offload_last", offload.last_error);
  w.put("delete_failures", collected.failures);
  w.put("delete_last", collected.last_error);
  w.put("log", poison.message());
  w.put("segments", segments.last_error);
  w.close();
  w.open("formats");
  w.put("log", uint64_t{wal::kFormatVersion});
  w.put("object", uint64_t{kObjectVersion});
  w.put("checkpoint", uint64_t{kCheckpointVersion});
  w.close();
  return w.finish();
}

void LocalEngine::status(Completion<std::string> done) { done(status_json()); }

/// Bytes of objects that no partition has any more: deleted records, and the objects' own headers and footers.
uint64_t LocalEngine::dead_bytes() {
  uint64_t live = 0, stored = 0;
  for (Partition* p : catalog_.partitions())
    for (const Extent& e : p->extents()) live += static_cast<uint64_t>(e.bytes);
  stored = objects_->total_bytes();
  return stored > live ? stored - live : 0;
}

}  // namespace topicfs
