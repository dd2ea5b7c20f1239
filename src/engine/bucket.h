// Bucket: what the store holds besides data: whose it is, which epochs were claimed, checkpoints
// (metadata/store_keys.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metadata/checkpoint.h"
#include "metadata/store_keys.h"
#include "object/object_store.h"

namespace topicfs {

/// An object that the newest checkpoint does not know.
struct NewerObject {
  std::string key;
  uint64_t epoch = 0, sequence = 0, size_bytes = 0;
};

struct BucketState {
  std::optional<Checkpoint> checkpoint;  ///< none in an empty bucket
  std::vector<NewerObject> newer;        ///< of the checkpoint's epoch, in order, none missing
};

/// A checkpoint that the bucket holds.
struct ListedCheckpoint {
  std::string key;
  EpochAndSequence name;
  uint64_t size_bytes = 0;
};

/// Every verb answers once; the store outlives them. Errors are the store's, and kCorrupt.
class Bucket {
 public:
  explicit Bucket(ObjectStore& store) : store_(store) {}

  void read_identity(Completion<std::optional<Uuid>> done);
  void write_identity(const Uuid& id, Completion<void> done);
  /// One more than any that was claimed. Where the server has no conditional PUT, two daemons that start at the
  /// same moment are not told apart.
  void claim_epoch(Completion<uint64_t> done);
  /// By its key: nothing of it is read. None in a bucket that no daemon has written to.
  void find_newest_checkpoint(Completion<std::optional<ListedCheckpoint>> done);
  void read_state(const Uuid& store, Completion<BucketState> done);

 private:
  void try_claim(uint64_t epoch, int tries, Completion<uint64_t> done);
  void list_newer(BucketState state, Completion<BucketState> done);

  ObjectStore& store_;
};

}  // namespace topicfs
