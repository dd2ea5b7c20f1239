#include "engine/checkpointer.h"

#include <algorithm>

#include "base/atomics.h"
#include "base/log.h"
#include "base/planted_bug.h"
#include "metadata/store_keys.h"

namespace topicfs {

struct Checkpointer::Round {
  std::vector<Waiter> waiters;
  Checkpoint checkpoint;
  std::vector<uint32_t> dead;
  std::vector<std::byte> bytes;
  std::string key;

  bool wants_upload() const {
    return std::any_of(waiters.begin(), waiters.end(), [](const Waiter& w) { return w.upload == Upload::yes; });
  }
  /// Answers those who wait for `what`, and only them.
  void answer(Upload what, const Result<void>& result) {
    for (Waiter& w : waiters) {
      if (w.upload != what || !w.done) continue;
      Completion<SavedCheckpoint> done = std::move(w.done);
      if (result) done(SavedCheckpoint{checkpoint.sequence, dead});
      else done(tl::unexpected<Error>(result.error()));
    }
  }
};

Checkpointer::Checkpointer(CheckpointerOptions options, CheckpointerParts parts, Make make)
    : options_(std::move(options)), parts_(parts), make_(std::move(make)) {}

void Checkpointer::start(ControlQueue& control, OnUploaded on_uploaded) {
  control_ = &control;
  on_uploaded_ = std::move(on_uploaded);
}

Result<void> Checkpointer::save_first() {
  return write_file(parts_.files, options_.data_dir, "checkpoint", encode(make_()));
}

void Checkpointer::save(Upload upload, Completion<SavedCheckpoint> done) {
  {
    MutexLock l(mutex_);
    waiting_.push_back({upload, std::move(done)});
    if (std::exchange(writing_, true)) return;
  }
  run();
}

/// Between two changes of the catalog, so that it is one state.
void Checkpointer::run() {
  auto round = std::make_shared<Round>();
  auto take = [this, round]() -> Result<std::optional<ControlRecord>> {
    round->dead = parts_.objects.dead();
    round->checkpoint = make_();
    MutexLock l(mutex_);
    round->waiters = std::exchange(waiting_, {});
    if (round->wants_upload())
      round->key = checkpoint_key(round->checkpoint.epoch, round->checkpoint.sequence, ++uploads_);
    return std::optional<ControlRecord>();
  };
  control_->change(std::move(take), [this, round](Result<void> taken) {
    if (taken) return parts_.device.run([this, round] { write(round); });
    {
      MutexLock l(mutex_);  // the queue was full: nothing was taken
      round->waiters = std::exchange(waiting_, {});
    }
    end_writing();
    for (Upload u : {Upload::no, Upload::yes}) round->answer(u, taken);
  }, By::engine);
}

void Checkpointer::write(std::shared_ptr<Round> round) {
  round->bytes = encode(round->checkpoint);
  Result<void> written = write_file(parts_.files, options_.data_dir, "checkpoint", round->bytes);
  if (written) written_++;
  else LOG_ERROR("cannot write a checkpoint: {}", written.error().message());
  if (written || planted(PlantedBug::free_before_checkpoint)) release_segments(round->checkpoint);
  end_writing();
  round->answer(Upload::no, written);
  bool may_upload = written || (poisoned_.load() && round->checkpoint.sequence == 0);
  if (!may_upload) round->answer(Upload::yes, written);
  else if (!round->key.empty()) upload(std::move(round));
}

void Checkpointer::end_writing() {
  {
    MutexLock l(mutex_);
    writing_ = !waiting_.empty();
    if (!writing_) return;
  }
  run();
}

void Checkpointer::release_segments(const Checkpoint& checkpoint) {
  wal::Segments::Counts counts = parts_.segments.counts();
  uint32_t keep_from = counts.newest_live >= options_.keep_segments ? counts.newest_live - options_.keep_segments + 1 : 0;
  uint32_t below = std::min(checkpoint.log_from.segment(), keep_from);
  for (Partition* p : parts_.catalog.partitions()) p->drop_index_below(below);
  parts_.segments.release_below(below);
}

void Checkpointer::upload(std::shared_ptr<Round> round) {
  {
    MutexLock l(mutex_);
    uploaded_.insert(round->key);  // even if it fails: the answer may be what was lost
  }
  parts_.store.put(round->key, {ByteSpan(round->bytes)}, Overwrite::allow, [this, round](Result<void> put) {
    if (put) {
      raise_to(uploaded_sequence_, round->checkpoint.sequence);
      raise_to(uploaded_control_end_, round->checkpoint.control_end.v);
      announced_.store(true);
      forget_older(round->key);
    }
    round->answer(Upload::yes, put);
    if (put && on_uploaded_) on_uploaded_();
  });
}

/// `key` is in the store, so that nothing needs what is older. What fails here goes when a later daemon looks for what
/// nobody needs.
void Checkpointer::forget_older(const std::string& key) {
  std::vector<std::string> old;
  {
    MutexLock l(mutex_);
    auto newest = uploaded_.find(key);
    if (newest == uploaded_.end()) return;  // a newer one was faster
    for (size_t kept = 1; kept < kKeptCheckpoints && newest != uploaded_.begin(); kept++) --newest;
    old.assign(uploaded_.begin(), newest);
    uploaded_.erase(uploaded_.begin(), newest);
  }
  for (std::string& k : old) parts_.store.remove(std::move(k), [](Result<void>) {});
}

}  // namespace topicfs
