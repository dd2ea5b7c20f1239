// How one object of a part of the log is made and put.
#include "engine/offload_job.h"

namespace topicfs {

static constexpr char kControlName[] = "topicfs.control";  // of partition 0, in footers

void Offloader::gather(std::shared_ptr<Job> job) {
  job->known = known_control(job->object.to);
  if (!is_announced(*job)) return announce(std::move(job));
  parts_.device.run([this, job] {
    Result<void> gathered = gather_batches(*job);
    if (gathered && job->builder->batches() == 0) return note_put(job);
    if (gathered && is_announced(*job)) return put(job);
    job->builder.reset();
    job->bytes.reset();
    if (gathered) announce(job);
    else try_again(Chain::objects, std::move(gathered).error(), [this, job] { gather(job); });
  });
}

/// The first object of an epoch must not be there before a checkpoint that knows the ones before it.
///
/// And an object leaves out what was in topics that are deleted. Whoever reads the store must know that they are: from the
/// object and those before it, or from a checkpoint. Otherwise a lost disk would bring them back with a part of their
/// records gone.
bool Offloader::is_announced(const Job& job) {
  if (!parts_.checkpoints.announced()) return false;
  Offset newest(newest_deletion_.load());
  {
    MutexLock l(mutex_);
    if (is_poisoned()) return true;  // the last object of the rescue knows of them all
  }
  return newest < job.known || newest < parts_.checkpoints.uploaded_control_end();
}

void Offloader::announce(std::shared_ptr<Job> job) {
  parts_.checkpoints.save(Upload::yes, [this, job](Result<SavedCheckpoint> r) {
    if (!r) return try_again(Chain::objects, std::move(r).error(), [this, job] { gather(job); });
    gather(job);
  });
}

Result<void> Offloader::gather_batches(Job& job) {
  ObjectFacts facts;
  facts.store = store_id_;
  facts.epoch = epoch_, facts.sequence = job.object.sequence;
  facts.log_from = job.object.from.v, facts.log_to = job.object.to.v;
  facts.created = parts_.clock.wall_now();
  job.builder = std::make_unique<ObjectBuilder>(facts);
  job.bytes = std::make_unique<BatchGather>(parts_.segments);
  job.batches.clear();
  for (Partition* p : parts_.catalog.partitions()) add_batches(job, *p);
  if (job.batches.empty()) return {};
  Result<void> got = job.bytes->get();
  {
    MutexLock l(mutex_);
    counters_.read_back_bytes += job.bytes->bytes_read();
  }
  TRY(got);
  for (size_t i = 0; i < job.batches.size(); i++)
    job.builder->add(job.batches[i], job.bytes->pieces(i), job.bytes->crc(i));
  TRY_ASSIGN(job.built, job.builder->build());
  job.object.size_bytes = job.built.size;
  job.object.footer_crc = job.built.footer.crc;
  return {};
}

/// Control records before this offset are known to whoever reads the log up to `to`, or objects that hold it.
Offset Offloader::known_control(wal::LogPosition to) {
  Partition* control = parts_.catalog.partition(kControlPartition);
  Offset end = control->durable_end();  // what comes meanwhile is not known
  std::vector<BatchRef> later = control->batches_between(to, {UINT64_MAX});
  return later.empty() ? end : later.front().base;
}

void Offloader::add_batches(Job& job, Partition& partition) {
  std::vector<BatchRef> refs = partition.living_between(job.object.from, job.object.to, job.known);
  if (refs.empty()) return;
  auto place = parts_.catalog.find(partition.id);
  if (partition.id == kControlPartition) job.builder->name_partition(partition.id, Uuid{}, kControlName, 0);
  else if (!place) return;  // deleted meanwhile
  else job.builder->name_partition(partition.id, place->topic->id, place->topic->name, place->index);
  for (const BatchRef& ref : refs) {
    job.batches.push_back({partition.id, ref.base, ref.end(), ref.text, static_cast<uint64_t>(ref.text_bytes),
                           ref.max_timestamp, ref.max_timestamp, 0});
    job.bytes->add(ref);
  }
}

/// Tried again with the same bytes under the same key: a PUT whose answer was lost, or that comes late, does no harm.
void Offloader::put(std::shared_ptr<Job> job) {
  parts_.store.put(job->object.key, job->built.pieces, Overwrite::allow, [this, job](Result<void> r) {
    if (!r) return try_again(Chain::objects, std::move(r).error(), [this, job] { put(job); });
    {
      MutexLock l(mutex_);
      failures_in_a_row_ = 0;
      counters_.last_error.clear();
    }
    note_put(job);
  });
}

}  // namespace topicfs
