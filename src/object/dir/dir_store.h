// DirStore: an ObjectStore on a local directory, "file:DIR". Key "a/b" is the file DIR/a/b.
//
//   DIR/LOCK      locked (flock) while a store is open on it; holds the holder's pid
//   DIR/.tmp/N    objects that are being written; removed when the store is opened
//
// An object is written under a temporary name past the page cache, synced, renamed, and the
// directory synced: it is there whole and durable, or not at all.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "io/direct_file.h"
#include "object/object_store.h"
#include "object/worker_pool.h"

namespace topicfs {

class DirStore final : public ObjectStore {
 public:
  static constexpr size_t kThreads = 4;
  static constexpr size_t kMaxQueued = 1024;
  /// What get_placed places: of less, the blocks of the device around it would take too much of the memory.
  static constexpr size_t kMinPlacedBytes = 64 << 10;

  /// Makes the directory as needed and locks it. kBusy names the process that holds it. Blocks.
  static Result<std::unique_ptr<DirStore>> open(std::string directory);

  void put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) override;
  void get(std::string key, ObjectRange range, Completion<ObjectBytes> done) override;
  bool places() const override { return true; }
  void get_placed(std::string key, ObjectRange range, TakeMemory take, Completion<ObjectBytes> done) override;
  void get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) override;
  void list(std::string prefix, std::string start_after, Completion<std::vector<ListedObject>> done) override;
  void remove(std::string key, Completion<void> done) override;
  StoreCounters counters() const override;
  std::string url() const override { return "file:" + root_path_; }

 private:
  DirStore(std::string root_path, UniqueFd root, UniqueFd temporary, UniqueFd lock);

  template <class T, class Work>
  void submit(Completion<T> done, Work work);

  Result<void> put_now(const std::string& key, const std::vector<ByteSpan>& pieces, Overwrite overwrite);
  Result<void> name_it(const std::string& temporary, const std::string& key, Overwrite overwrite);
  Result<DirectFile> open_for_reading(const std::string& key, uint64_t& size);
  Result<ObjectBytes> read_now(const std::string& key, const DirectFile& file, ObjectRange range, uint64_t object_size,
                               const TakeMemory& take);
  Result<std::vector<ListedObject>> list_now(const std::string& prefix, const std::string& start_after);
  Result<void> remove_now(const std::string& key);
  std::string path_of(const std::string& key) const { return root_path_ + "/" + key; }

  const std::string root_path_;
  const UniqueFd root_, temporary_, lock_;
  DirectBuffers buffers_;
  const TakeMemory own_memory_ = [this](size_t size) { return buffers_.take(size); };
  std::atomic<uint64_t> next_temporary_{0};
  struct {
    std::atomic<uint64_t> puts{0}, gets{0}, lists{0}, deletes{0}, put_bytes{0}, get_bytes{0}, errors{0};
  } counted_;
  WorkerPool workers_;  // last: its threads use everything above
};

}  // namespace topicfs
