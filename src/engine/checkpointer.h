// Checkpointer: takes checkpoints of the engine's state, keeps the newest in the data directory, uploads those that are
// asked for, and lets go of what a checkpoint makes needless: log segments, and older checkpoints in the store.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <vector>

#include "base/clock.h"
#include "engine/catalog.h"
#include "engine/control_queue.h"
#include "engine/stored_objects.h"
#include "metadata/checkpoint.h"
#include "wal/segments.h"

namespace topicfs {

/// In the store: the newest one and, for people, the one before.
inline constexpr size_t kKeptCheckpoints = 2;

struct CheckpointerOptions {
  std::string data_dir;
  uint32_t keep_segments = 8;  ///< offloaded ones stay that many, so that recent data is read from memory
};

/// What it works with; all outlive it.
struct CheckpointerParts {
  FileSystem& files;
  LogDevice& device;
  ObjectStore& store;
  wal::Segments& segments;
  Catalog& catalog;
  StoredObjects& objects;
};

enum class Upload { no, yes };

struct SavedCheckpoint {
  uint64_t sequence = 0;         ///< of the last object of our epoch that it knows
  std::vector<uint32_t> dead;    ///< objects that it leaves out, because nothing in them lives
};

/// Thread-safe.
class Checkpointer {
 public:
  /// The engine's state as of now. Called in the control queue's order.
  using Make = UniqueFunction<Checkpoint()>;
  /// After each upload: the bucket has a checkpoint of this epoch.
  using OnUploaded = UniqueFunction<void()>;

  Checkpointer(CheckpointerOptions options, CheckpointerParts parts, Make make);
  /// `control` outlives this.
  void start(ControlQueue& control, OnUploaded on_uploaded);

  /// Writes the checkpoint of a new data directory, before start(). Waits for the disk.
  Result<void> save_first();
  /// A checkpoint of a state not older than this call, in the data directory and, if asked for, in the store. One is
  /// written at a time; those that are asked for meanwhile become one.
  void save(Upload upload, Completion<SavedCheckpoint> done);

  /// The disk may be gone: the first checkpoint of our epoch, of which this directory knows in any case, is uploaded even if
  /// it cannot be kept here.
  void on_poisoned() { poisoned_.store(true); }

  /// Whether the bucket has a checkpoint of this epoch.
  bool announced() const { return announced_.load(); }
  /// Sequence of the last object of our epoch that an uploaded checkpoint knows; 0: none.
  uint64_t uploaded_sequence() const { return uploaded_sequence_.load(); }
  /// Control records before it are known to the store's newest checkpoint of our epoch.
  Offset uploaded_control_end() const { return Offset(uploaded_control_end_.load()); }
  uint64_t written() const { return written_.load(); }

 private:
  struct Waiter {
    Upload upload;
    Completion<SavedCheckpoint> done;
  };
  struct Round;  // one checkpoint on its way
  void run();
  void write(std::shared_ptr<Round> round);
  void upload(std::shared_ptr<Round> round);
  void end_writing();
  void release_segments(const Checkpoint& checkpoint);
  void forget_older(const std::string& key);

  const CheckpointerOptions options_;
  CheckpointerParts parts_;
  Make make_;
  ControlQueue* control_ = nullptr;
  OnUploaded on_uploaded_;
  std::atomic<bool> announced_{false}, poisoned_{false};
  std::atomic<uint64_t> uploaded_sequence_{0}, written_{0};
  std::atomic<int64_t> uploaded_control_end_{0};

  Mutex mutex_;
  std::vector<Waiter> waiting_ GUARDED_BY(mutex_);
  bool writing_ GUARDED_BY(mutex_) = false;
  uint64_t uploads_ GUARDED_BY(mutex_) = 0;               // begun; part of their keys
  std::set<std::string> uploaded_ GUARDED_BY(mutex_);     // keys of ours that may be in the store
};

}  // namespace topicfs
