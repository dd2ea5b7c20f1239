#include "support/memory_file_system.h"

#include <algorithm>
#include <cstring>

namespace topicfs::testing {

constexpr size_t kSector = 512;

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFileSystem& fs, MemoryFileSystem::NodePtr node, std::string path, SyncMethod method)
      : fs_(fs), node_(std::move(node)), path_(std::move(path)), method_(method) {}

  Result<size_t> read_at(uint64_t position, MutableByteSpan into) override {
    MutexLock l(fs_.mutex_);
    const auto& bytes = node_->written;
    if (position >= bytes.size()) return size_t{0};
    size_t n = std::min<size_t>(into.size(), bytes.size() - position);
    std::memcpy(into.data(), bytes.data() + position, n);
    return n;
  }

  Result<void> write_at(uint64_t position, const std::vector<ByteSpan>& pieces) override {
    MutexLock l(fs_.mutex_);
    if (fs_.failures_ > 0 && path_.find(fs_.failing_) != std::string::npos) {
      fs_.failures_--;
      return tl::unexpected<Error>(fs_.failure_);
    }
    for (ByteSpan p : pieces) {
      put(node_->written, position, p);
      if (method_ == SyncMethod::direct_dsync || method_ == SyncMethod::buffered_dsync) put(node_->durable, position, p);
      position += p.size();
    }
    return {};
  }

  Result<void> sync() override {
    MutexLock l(fs_.mutex_);
    node_->durable = node_->written;
    return {};
  }

  Result<uint64_t> size() override {
    MutexLock l(fs_.mutex_);
    return uint64_t{node_->written.size()};
  }

 private:
  static void put(std::vector<std::byte>& image, uint64_t position, ByteSpan bytes) {
    if (image.size() < position + bytes.size()) image.resize(position + bytes.size());
    std::memcpy(image.data() + position, bytes.data(), bytes.size());
  }

  MemoryFileSystem& fs_;
  MemoryFileSystem::NodePtr node_;
  std::string path_;
  SyncMethod method_;
};

class MemoryLock final : public FileLock {
 public:
  MemoryLock(MemoryFileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~MemoryLock() override {
    MutexLock l(fs_.mutex_);
    fs_.locks_.erase(path_);
  }

 private:
  MemoryFileSystem& fs_;
  std::string path_;
};

void MemoryFileSystem::crash(Keep keep) {
  MutexLock l(mutex_);
  names_ = durable_names_;
  locks_.clear();
  for (auto& [path, node] : names_) {
    if (keep) {
      node->durable.resize(std::max(node->durable.size(), node->written.size()));
      for (size_t at = 0; at < node->written.size(); at += kSector) {
        size_t n = std::min(kSector, node->written.size() - at);
        if (std::memcmp(node->written.data() + at, node->durable.data() + at, n) != 0 && keep())
          std::memcpy(node->durable.data() + at, node->written.data() + at, n);
      }
    }
    node->written = node->durable;
  }
}

void MemoryFileSystem::fail_writes(std::string part, Error error, int count) {
  MutexLock l(mutex_);
  failing_ = std::move(part), failure_ = std::move(error), failures_ = count;
}

void MemoryFileSystem::fail_new_files(std::string part, Error error) {
  MutexLock l(mutex_);
  unmakeable_ = std::move(part), cannot_make_ = std::move(error);
}

void MemoryFileSystem::damage(const std::string& path, uint64_t position) {
  MutexLock l(mutex_);
  Node& n = *names_.at(path);
  n.written.at(position) ^= std::byte{1};
  n.durable.at(position) ^= std::byte{1};
}

std::vector<std::string> MemoryFileSystem::paths() {
  MutexLock l(mutex_);
  std::vector<std::string> all;
  for (auto& [path, node] : names_) all.push_back(path);
  return all;
}

std::vector<std::byte> MemoryFileSystem::contents(const std::string& path) {
  MutexLock l(mutex_);
  return names_.at(path)->written;
}

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode, SyncMethod method) {
  MutexLock l(mutex_);
  auto it = names_.find(path);
  if (mode == OpenMode::create) {
    if (it != names_.end()) return fail(Errc::kExists, path + " exists");
    if (!unmakeable_.empty() && path.find(unmakeable_) != std::string::npos) return tl::unexpected<Error>(cannot_make_);
    it = names_.emplace(path, std::make_shared<Node>()).first;
  }
  if (it == names_.end()) return fail(Errc::kNotFound, "no file " + path);
  return std::make_unique<MemoryFile>(*this, it->second, path, method);
}

Result<std::vector<std::string>> MemoryFileSystem::list(const std::string& directory) {
  MutexLock l(mutex_);
  std::vector<std::string> names;
  std::string prefix = directory + "/";
  for (auto& [path, node] : names_)
    if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos)
      names.push_back(path.substr(prefix.size()));
  return names;
}

Result<void> MemoryFileSystem::make_directories(const std::string&) { return {}; }

Result<void> MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  MutexLock l(mutex_);
  auto it = names_.find(from);
  if (it == names_.end()) return fail(Errc::kNotFound, "no file " + from);
  names_[to] = it->second;
  names_.erase(from);
  return {};
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
  MutexLock l(mutex_);
  if (names_.erase(path) == 0) return fail(Errc::kNotFound, "no file " + path);
  return {};
}

Result<void> MemoryFileSystem::sync_directory(const std::string& directory) {
  MutexLock l(mutex_);
  std::string prefix = directory + "/";
  std::erase_if(durable_names_, [&](auto& n) { return n.first.starts_with(prefix) && !names_.contains(n.first); });
  for (auto& [path, node] : names_)
    if (path.starts_with(prefix)) durable_names_[path] = node;
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::lock(const std::string& path) {
  MutexLock l(mutex_);
  if (!locks_.insert(path).second) return fail(Errc::kBusy, path + " is held");
  return std::make_unique<MemoryLock>(*this, path);
}

void ManualLogDevice::submit(LogWrite& write) {
  executor_.post([this, &write] {
    writes_++;
    std::vector<ByteSpan> pieces;
    LogWrite::Where where = write.prepare(pieces);
    Result<void> result = where.file->write_at(where.position, pieces);
    if (result) result = where.file->sync();
    write.done(std::move(result));
  });
}

}  // namespace topicfs::testing
