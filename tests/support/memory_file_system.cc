#include "support/memory_file_system.h"

#include <algorithm>
#include <cstring>

namespace topicfs::testing {
namespace {

constexpr size_t kSector = 512;

Error no_power() { return {Errc::kIo, 5, "the power is off"}; }

bool is_dsync(SyncMethod method) {
  return method == SyncMethod::direct_dsync || method == SyncMethod::buffered_dsync;
}

void forget_between(std::set<uint64_t>& places, uint64_t from, uint64_t to) {
  places.erase(places.lower_bound(from), places.lower_bound(to));
}

void flip_bit(std::vector<std::byte>& bytes, std::set<uint64_t>& flipped, uint64_t position) {
  if (position >= bytes.size()) return;
  bytes[position] ^= std::byte{1};
  if (!flipped.erase(position)) flipped.insert(position);
}

std::string directory_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

}  // namespace

// ---- one file's images

void MemoryFileSystem::Node::put(uint64_t position, ByteSpan bytes) {
  if (bytes.empty()) return;
  if (written.size() < position + bytes.size()) {
    written.resize(position + bytes.size());
    sectors.resize((written.size() + kSector - 1) / kSector, Sector::clean);
  }
  std::memcpy(written.data() + position, bytes.data(), bytes.size());
  forget_between(damaged, position, position + bytes.size());
  for (uint64_t s = position / kSector; s <= (position + bytes.size() - 1) / kSector; s++) {
    if (sectors[s] == Sector::clean) unsynced.push_back(static_cast<uint32_t>(s));
    sectors[s] = Sector::written;
  }
}

void MemoryFileSystem::Node::flip(uint64_t position) {
  flip_bit(written, damaged, position);
  flip_bit(durable, damaged_durably, position);
}

void MemoryFileSystem::Node::mend(uint64_t position) {
  if (damaged.contains(position)) flip_bit(written, damaged, position);
  if (damaged_durably.contains(position)) flip_bit(durable, damaged_durably, position);
}

void MemoryFileSystem::Node::make_durable(uint32_t sector) {
  size_t at = sector * kSector, n = std::min(kSector, written.size() - at);
  if (durable.size() < at + n) durable.resize(at + n);
  std::memcpy(durable.data() + at, written.data() + at, n);
  forget_between(damaged_durably, at, at + n);
  damaged_durably.insert(damaged.lower_bound(at), damaged.lower_bound(at + n));
}

void MemoryFileSystem::Node::sync() {
  durable.resize(std::max(durable.size(), written.size()));
  for (uint32_t s : unsynced) {
    if (sectors[s] != Sector::written) continue;
    make_durable(s);
    sectors[s] = Sector::clean;
  }
  forget_clean();
}

void MemoryFileSystem::Node::sync(uint64_t from, uint64_t to) {
  for (uint64_t s = from / kSector; s <= (to - 1) / kSector; s++) {
    make_durable(static_cast<uint32_t>(s));
    sectors[s] = Sector::clean;
  }
  forget_clean();
}

void MemoryFileSystem::Node::forget_clean() {
  std::erase_if(unsynced, [this](uint32_t s) { return sectors[s] == Sector::clean; });
  if (unsynced.empty()) lied = false;
}

void MemoryFileSystem::Node::lose_unsynced(const Keep& keep) {
  for (uint32_t s : unsynced) {
    if (sectors[s] != Sector::written) continue;
    if (keep && keep()) make_durable(s), sectors[s] = Sector::clean;
    else sectors[s] = Sector::forgotten;
  }
  forget_clean();
}

void MemoryFileSystem::Node::see_lost(uint64_t position, MutableByteSpan into) const {
  for (uint32_t s : unsynced) {
    if (sectors[s] != Sector::forgotten) continue;
    for (uint64_t at = std::max(position, s * kSector); at < std::min(position + into.size(), (s + 1) * kSector); at++)
      into[at - position] = at < durable.size() ? durable[at] : std::byte{0};
  }
}

void MemoryFileSystem::Node::crash(const Keep& keep) {
  if (keep) {
    for (uint32_t s : unsynced)
      if (sectors[s] == Sector::written && keep()) make_durable(s);
    if (durable.size() < written.size() && keep()) durable.resize(written.size());
  }
  written = durable;
  damaged = damaged_durably;
  sectors.assign((written.size() + kSector - 1) / kSector, Sector::clean);
  unsynced.clear();
  lied = false;
}

// ---- open files and locks

class MemoryFile final : public File {
 public:
  MemoryFile(MemoryFileSystem& fs, MemoryFileSystem::NodePtr node, std::string path, SyncMethod method)
      : fs_(fs), node_(std::move(node)), path_(std::move(path)), method_(method) {}

  Result<size_t> read_at(uint64_t position, MutableByteSpan into) override {
    MutexLock l(fs_.mutex_);
    if (DiskFate fate = fs_.decide(DiskOperation::read, path_); !fate.error.what.empty())
      return tl::unexpected<Error>(fate.error);
    const auto& bytes = node_->written;
    if (position >= bytes.size()) return size_t{0};
    size_t n = std::min<size_t>(into.size(), bytes.size() - position);
    std::memcpy(into.data(), bytes.data() + position, n);
    if (method_ == SyncMethod::direct || method_ == SyncMethod::direct_dsync) node_->see_lost(position, into.first(n));
    return n;
  }

  Result<void> write_at(uint64_t position, const std::vector<ByteSpan>& pieces) override {
    return fs_.write(*node_, path_, method_, position, pieces);
  }

  Result<void> sync() override {
    MutexLock l(fs_.mutex_);
    DiskFate fate = fs_.decide(DiskOperation::sync, path_);
    if (!fate.error.what.empty()) {
      if (fate.effect == DiskFate::Effect::some) node_->lose_unsynced(fs_.coin_);
      return tl::unexpected<Error>(fate.error);
    }
    if (is_dsync(method_)) return {};  // its writes were
    if (fate.effect == DiskFate::Effect::all) node_->sync();
    else if (!node_->unsynced.empty()) node_->lied = true;
    return {};
  }

  Result<uint64_t> size() override {
    MutexLock l(fs_.mutex_);
    return uint64_t{node_->written.size()};
  }

 private:
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

// ---- faults

DiskFate MemoryFileSystem::decide(DiskOperation operation, std::string_view path, SyncMethod method) {
  operations_++;
  if (power_left_) {
    if (*power_left_ == 0) return {no_power(), DiskFate::Effect::none};
    if (--*power_left_ == 0) return {no_power(), DiskFate::Effect::some};
  }
  return faults_ ? faults_({operation, path, method}) : DiskFate{};
}

Result<void> MemoryFileSystem::write(Node& node, const std::string& path, SyncMethod method, uint64_t position,
                                     const std::vector<ByteSpan>& pieces) {
  MutexLock l(mutex_);
  DiskFate fate = decide(DiskOperation::write, path);
  if (failures_ > 0 && path.find(failing_) != std::string::npos) {
    failures_--;
    fate = {failure_, DiskFate::Effect::none};
  }
  bool failed = !fate.error.what.empty();
  bool lies = !failed && fate.effect != DiskFate::Effect::all && is_dsync(method);
  for (ByteSpan p : pieces) {
    while (!p.empty()) {
      // If it fails, to the end of the sector that `position` is in, so that each sector can be decided on.
      size_t n = failed ? std::min(p.size(), kSector - position % kSector) : p.size();
      if (!failed || (fate.effect == DiskFate::Effect::some && coin_ && coin_())) {
        node.put(position, p.first(n));
        if (is_dsync(method) && !lies) node.sync(position, position + n);
      }
      p = p.subspan(n);
      position += n;
    }
  }
  if (failed) return tl::unexpected<Error>(fate.error);
  if (lies) node.lied = true;
  return {};
}

void MemoryFileSystem::crash(Keep keep) {
  MutexLock l(mutex_);
  if (keep) {
    std::map<std::string, NodePtr> after;
    std::set<std::string> all;
    for (auto* from : {&names_, &durable_names_})
      for (auto& [path, node] : *from) all.insert(path);
    for (const std::string& path : all) {
      auto node_in = [&path](const std::map<std::string, NodePtr>& from) {
        auto found = from.find(path);
        return found == from.end() ? nullptr : found->second;
      };
      NodePtr now = node_in(names_), before = node_in(durable_names_);
      if (NodePtr chosen = now != before && keep() ? now : before) after[path] = chosen;
    }
    durable_names_ = std::move(after);
  }
  names_ = durable_names_;
  locks_.clear();
  power_left_.reset();
  std::map<Node*, NodePtr> left;
  for (auto& [path, node] : names_) {
    NodePtr& copy = left[node.get()];
    if (!copy) copy = std::make_shared<Node>(*node), copy->crash(keep);
    node = copy;
    durable_names_[path] = copy;
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

void MemoryFileSystem::set_faults(Faults faults, Keep coin) {
  MutexLock l(mutex_);
  faults_ = std::move(faults);
  coin_ = std::move(coin);
}

void MemoryFileSystem::cut_power_after(uint64_t operations) {
  MutexLock l(mutex_);
  power_left_ = operations;
}

void MemoryFileSystem::set_power(bool on) {
  MutexLock l(mutex_);
  power_left_.reset();
  if (!on) power_left_ = 0;
}

bool MemoryFileSystem::has_power() {
  MutexLock l(mutex_);
  return !power_left_ || *power_left_ > 0;
}

uint64_t MemoryFileSystem::operations() {
  MutexLock l(mutex_);
  return operations_;
}

bool MemoryFileSystem::has_lied() {
  MutexLock l(mutex_);
  return std::any_of(names_.begin(), names_.end(), [](auto& n) { return n.second->lied; });
}

void MemoryFileSystem::damage(const std::string& path, uint64_t position) {
  MutexLock l(mutex_);
  names_.at(path)->flip(position);
}

void MemoryFileSystem::mend() {
  MutexLock l(mutex_);
  for (auto& [path, node] : names_) {
    std::set<uint64_t> places = node->damaged;
    places.insert(node->damaged_durably.begin(), node->damaged_durably.end());
    for (uint64_t position : places) node->mend(position);
  }
}

MemoryFileSystem::Image MemoryFileSystem::image(const std::string& path) {
  MutexLock l(mutex_);
  const Node& n = *names_.at(path);
  Image image{n.written, n.damaged};
  n.see_lost(0, image.bytes);
  for (uint32_t s : n.unsynced) {
    if (n.sectors[s] != Sector::forgotten) continue;
    uint64_t at = s * kSector, end = at + kSector;
    forget_between(image.damaged, at, end);
    image.damaged.insert(n.damaged_durably.lower_bound(at), n.damaged_durably.lower_bound(end));
  }
  return image;
}

std::vector<std::byte> MemoryFileSystem::Image::undamaged() const {
  std::vector<std::byte> all = bytes;
  for (uint64_t position : damaged) all[position] ^= std::byte{1};
  return all;
}

std::vector<std::string> MemoryFileSystem::paths() {
  MutexLock l(mutex_);
  std::vector<std::string> all;
  for (auto& [path, node] : names_) all.push_back(path);
  return all;
}

bool MemoryFileSystem::has(const std::string& path) {
  MutexLock l(mutex_);
  return names_.contains(path);
}

std::vector<std::byte> MemoryFileSystem::contents(const std::string& path) {
  MutexLock l(mutex_);
  return names_.at(path)->written;
}

void MemoryFileSystem::wipe() {
  MutexLock l(mutex_);
  names_.clear();
  durable_names_.clear();
  locks_.clear();
  power_left_.reset();
}

// ---- the seam

#define TOPICFS_TAKE_FATE(...)                                     \
  if (DiskFate fate = decide(__VA_ARGS__); !fate.error.what.empty()) \
  return tl::unexpected<Error>(fate.error)

Result<std::unique_ptr<File>> MemoryFileSystem::open(const std::string& path, OpenMode mode, SyncMethod method) {
  MutexLock l(mutex_);
  TOPICFS_TAKE_FATE(DiskOperation::open, path, method);
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
  TOPICFS_TAKE_FATE(DiskOperation::list, directory);
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
  TOPICFS_TAKE_FATE(DiskOperation::rename, from);
  auto it = names_.find(from);
  if (it == names_.end()) return fail(Errc::kNotFound, "no file " + from);
  names_[to] = it->second;
  names_.erase(from);
  return {};
}

Result<void> MemoryFileSystem::remove(const std::string& path) {
  MutexLock l(mutex_);
  TOPICFS_TAKE_FATE(DiskOperation::remove, path);
  if (names_.erase(path) == 0) return fail(Errc::kNotFound, "no file " + path);
  return {};
}

Result<void> MemoryFileSystem::sync_directory(const std::string& directory) {
  MutexLock l(mutex_);
  TOPICFS_TAKE_FATE(DiskOperation::sync_directory, directory);
  std::erase_if(durable_names_, [&](auto& n) REQUIRES(mutex_) {
    return directory_of(n.first) == directory && !names_.contains(n.first);
  });
  for (auto& [path, node] : names_)
    if (directory_of(path) == directory) durable_names_[path] = node;
  return {};
}

#undef TOPICFS_TAKE_FATE

Result<std::unique_ptr<FileLock>> MemoryFileSystem::lock(const std::string& path) {
  MutexLock l(mutex_);
  if (!locks_.insert(path).second) return fail(Errc::kBusy, path + " is held");
  return std::make_unique<MemoryLock>(*this, path);
}

// ---- the log's device

void ManualLogDevice::hang(bool hangs) {
  hangs_ = hangs;
  if (!hangs && hanging_) submit(*std::exchange(hanging_, nullptr));
}

void ManualLogDevice::submit(LogWrite& write) {
  if (hangs_) return void(hanging_ = &write);
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
