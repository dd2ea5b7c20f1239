// A process that is killed, played within one that goes on: from its death on nothing that it does reaches its files or its
// store, and what it has done stays, as kill -9 leaves it. It dies while it changes a file: of a write at that moment the
// first half is there. Requests that were on their way to the store may still happen.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/file_system.h"
#include "object/object_store.h"

namespace topicfs {

/// Of one process. Thread-safe.
class Life {
 public:
  /// From now on it takes `changes` more of its files; then it is over.
  void limit(int64_t changes) { left_ = changes; }
  void end() { left_ = 0; }
  bool is_over() const { return left_.load() <= 0; }

  enum class Change { whole, half, none };
  Change change() {
    int64_t left = left_.fetch_sub(1);
    return left > 1 ? Change::whole : left == 1 ? Change::half : Change::none;
  }
  static tl::unexpected<Error> over() { return fail(Errc::kIo, "the process is dead"); }

 private:
  std::atomic<int64_t> left_{INT64_MAX};
};

class KillableFile final : public File {
 public:
  KillableFile(std::unique_ptr<File> file, Life& life) : file_(std::move(file)), life_(life) {}

  Result<size_t> read_at(uint64_t position, MutableByteSpan into) override { return file_->read_at(position, into); }
  Result<uint64_t> size() override { return file_->size(); }
  Result<void> sync() override { return life_.change() == Life::Change::whole ? file_->sync() : Life::over(); }
  Result<void> write_at(uint64_t position, const std::vector<ByteSpan>& pieces) override {
    Life::Change change = life_.change();
    if (change == Life::Change::whole) return file_->write_at(position, pieces);
    if (change == Life::Change::half) (void)file_->write_at(position, first_half(pieces));
    return Life::over();
  }

 private:
  static std::vector<ByteSpan> first_half(const std::vector<ByteSpan>& pieces) {
    size_t size = 0;
    for (ByteSpan p : pieces) size += p.size();
    size_t left = size / 2 / kDirectAlignment * kDirectAlignment;
    std::vector<ByteSpan> half;
    for (ByteSpan p : pieces) {
      half.push_back(p.first(std::min(left, p.size())));
      left -= half.back().size();
    }
    std::erase_if(half, [](ByteSpan p) { return p.empty(); });
    return half;
  }

  std::unique_ptr<File> file_;
  Life& life_;
};

class KillableFiles final : public FileSystem {
 public:
  KillableFiles(std::unique_ptr<FileSystem> files, Life& life) : files_(std::move(files)), life_(life) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode, SyncMethod method) override {
    if (mode == OpenMode::create && !is_alive()) return Life::over();
    TRY_ASSIGN(auto file, files_->open(path, mode, method));
    return std::make_unique<KillableFile>(std::move(file), life_);
  }
  Result<std::vector<std::string>> list(const std::string& directory) override { return files_->list(directory); }
  Result<void> make_directories(const std::string& path) override {
    return is_alive() ? files_->make_directories(path) : Life::over();
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return is_alive() ? files_->rename(from, to) : Life::over();
  }
  Result<void> remove(const std::string& path) override { return is_alive() ? files_->remove(path) : Life::over(); }
  Result<void> sync_directory(const std::string& path) override {
    return is_alive() ? files_->sync_directory(path) : Life::over();
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override { return files_->lock(path); }

 private:
  bool is_alive() { return life_.change() == Life::Change::whole; }

  std::unique_ptr<FileSystem> files_;
  Life& life_;
};

class KillableStore final : public ObjectStore {
 public:
  KillableStore(std::unique_ptr<ObjectStore> store, Life& life) : store_(std::move(store)), life_(life) {}

  void put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) override {
    if (life_.is_over()) return done(fail(Errc::kClosed, "the process is dead"));
    store_->put(std::move(key), std::move(pieces), overwrite, std::move(done));
  }
  void remove(std::string key, Completion<void> done) override {
    if (life_.is_over()) return done(fail(Errc::kClosed, "the process is dead"));
    store_->remove(std::move(key), std::move(done));
  }
  void get(std::string key, ObjectRange range, Completion<ObjectBytes> done) override {
    store_->get(std::move(key), range, std::move(done));
  }
  bool places() const override { return store_->places(); }
  void get_placed(std::string key, ObjectRange range, TakeMemory take, Completion<ObjectBytes> done) override {
    store_->get_placed(std::move(key), range, std::move(take), std::move(done));
  }
  void get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) override {
    store_->get_tail(std::move(key), max_bytes, std::move(done));
  }
  void list(std::string prefix, std::string start_after, Completion<std::vector<ListedObject>> done) override {
    store_->list(std::move(prefix), std::move(start_after), std::move(done));
  }
  StoreCounters counters() const override { return store_->counters(); }
  std::string url() const override { return store_->url(); }

 private:
  std::unique_ptr<ObjectStore> store_;
  Life& life_;
};

}  // namespace topicfs
