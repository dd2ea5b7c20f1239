#include "object/dir/dir_store.h"

#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "io/direct_file.h"
#include "object/dir/directories.h"
#include "object/object_key.h"

namespace topicfs {
namespace {

constexpr char kLockName[] = "LOCK";
constexpr char kTemporaryName[] = ".tmp";

Result<UniqueFd> lock_directory(int root, const std::string& path) {
  UniqueFd lock(::openat(root, kLockName, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail_errno("open " + path + "/" + kLockName, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno("lock " + path + "/" + kLockName, errno);
    char pid[24] = {};
    ssize_t n = ::pread(lock.get(), pid, sizeof pid - 1, 0);
    std::string holder(pid, n > 0 ? static_cast<size_t>(n) : 0);
    while (!holder.empty() && (holder.back() < '0' || holder.back() > '9')) holder.pop_back();
    return fail(Errc::kBusy, "the store " + path + " is in use by process " +
                                 (holder.empty() ? "(unknown)" : holder) +
                                 "; stop that one first, or choose another --store");
  }
  std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) != 0 || ::pwrite(lock.get(), pid.data(), pid.size(), 0) < 0)
    return fail_errno("write " + path + "/" + kLockName, errno);
  return lock;
}

Result<UniqueFd> open_temporary(int root, const std::string& root_path) {
  std::string path = root_path + "/" + kTemporaryName;
  if (::mkdirat(root, kTemporaryName, 0700) != 0 && errno != EEXIST) return fail_errno("make directory " + path, errno);
  UniqueFd fd(::openat(root, kTemporaryName, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno("open directory " + path, errno);
  TRY_ASSIGN(auto left_over, read_directory(fd.get(), path));
  for (const auto& entry : left_over) {
    if (::unlinkat(fd.get(), entry.name.c_str(), 0) != 0) return fail_errno("remove " + path + "/" + entry.name, errno);
  }
  return fd;
}

}  // namespace

DirStore::DirStore(std::string root_path, UniqueFd root, UniqueFd temporary, UniqueFd lock)
    : root_path_(std::move(root_path)),
      root_(std::move(root)),
      temporary_(std::move(temporary)),
      lock_(std::move(lock)),
      workers_(kThreads, kMaxQueued) {}

Result<std::unique_ptr<DirStore>> DirStore::open(std::string directory) {
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  TRY_ASSIGN(UniqueFd root, make_and_open_directory(directory));
  TRY_ASSIGN(UniqueFd lock, lock_directory(root.get(), directory));
  TRY_ASSIGN(UniqueFd temporary, open_temporary(root.get(), directory));
  return std::unique_ptr<DirStore>(
      new DirStore(std::move(directory), std::move(root), std::move(temporary), std::move(lock)));
}

/// Run `work` on a worker and answer with what it returns; count its errors.
template <class T, class Work>
void DirStore::submit(Completion<T> done, Work work) {
  struct Request {
    Completion<T> done;
    Work work;
  };
  auto request = std::make_unique<Request>(Request{std::move(done), std::move(work)});
  Request* kept = request.get();
  WorkerPool::Job job = [this, request = std::move(request)](Turn turn) {
    if (turn == Turn::closing) return request->done(fail(Errc::kClosed, url() + " is closing"));
    Result<T> outcome = request->work();
    if (!outcome && is_failure(outcome.error())) counted_.errors++;
    request->done(std::move(outcome));
  };
  if (!workers_.submit(job))
    kept->done(fail(Errc::kFull, url() + ": " + std::to_string(kMaxQueued) + " requests wait already"));
}

void DirStore::put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) {
  submit<void>(std::move(done), [this, key = std::move(key), pieces = std::move(pieces), overwrite] {
    return put_now(key, pieces, overwrite);
  });
}

void DirStore::get(std::string key, ObjectRange range, Completion<ObjectBytes> done) {
  submit<ObjectBytes>(std::move(done), [this, key = std::move(key), range]() -> Result<ObjectBytes> {
    if (range.size == 0) return fail(Errc::kInvalidArgument, "get " + path_of(key) + ": no bytes asked for");
    uint64_t size = 0;
    TRY_ASSIGN(DirectFile file, open_for_reading(key, size));
    return read_now(key, file, range, size, own_memory_);
  });
}

void DirStore::get_placed(std::string key, ObjectRange range, TakeMemory take, Completion<ObjectBytes> done) {
  if (range.size < kMinPlacedBytes) return get(std::move(key), range, std::move(done));
  submit<ObjectBytes>(std::move(done), [this, key = std::move(key), range, take = std::move(take)]() -> Result<ObjectBytes> {
    uint64_t size = 0;
    TRY_ASSIGN(DirectFile file, open_for_reading(key, size));
    TRY_ASSIGN(ObjectBytes read, read_now(key, file, range, size, take));
    read.is_placed = true;
    return read;
  });
}

void DirStore::get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) {
  submit<ObjectBytes>(std::move(done), [this, key = std::move(key), max_bytes]() -> Result<ObjectBytes> {
    uint64_t size = 0;
    TRY_ASSIGN(DirectFile file, open_for_reading(key, size));
    uint64_t tail = std::min(size, max_bytes);
    return read_now(key, file, {size - tail, tail}, size, own_memory_);
  });
}

void DirStore::list(std::string prefix, std::string start_after, Completion<std::vector<ListedObject>> done) {
  submit<std::vector<ListedObject>>(
      std::move(done), [this, prefix = std::move(prefix), start_after = std::move(start_after)] {
        counted_.lists++;
        return list_now(prefix, start_after);
      });
}

void DirStore::remove(std::string key, Completion<void> done) {
  submit<void>(std::move(done), [this, key = std::move(key)] { return remove_now(key); });
}

Result<void> DirStore::put_now(const std::string& key, const std::vector<ByteSpan>& pieces, Overwrite overwrite) {
  counted_.puts++;
  TRY(check_object_key(key));
  if (key == kLockName) return fail(Errc::kInvalidArgument, path_of(key) + " is the store's own");
  // Refused early if it can be, so that no bytes are written for nothing; name_it decides.
  if (overwrite == Overwrite::refuse && ::faccessat(root_.get(), key.c_str(), F_OK, 0) == 0)
    return fail(Errc::kExists, path_of(key) + " exists");

  std::string temporary = std::to_string(next_temporary_++);
  std::string path = root_path_ + "/" + kTemporaryName + "/" + temporary;
  TRY_ASSIGN(DirectFile file, create_direct(temporary_.get(), temporary, path));
  Result<void> outcome = write_direct(file, pieces, buffers_, path);
  if (outcome) outcome = name_it(temporary, key, overwrite);
  if (!outcome) {
    (void)::unlinkat(temporary_.get(), temporary.c_str(), 0);
    return outcome;
  }
  for (ByteSpan piece : pieces) counted_.put_bytes += piece.size();
  return {};
}

Result<void> DirStore::name_it(const std::string& temporary, const std::string& key, Overwrite overwrite) {
  TRY_ASSIGN(UniqueFd parent, open_parent(root_.get(), root_path_, key, Missing::make));
  std::string name = last_part(key);
  int from = temporary_.get(), to = parent.get();
  int failed = 0;
  if (overwrite == Overwrite::allow) {
    failed = ::renameat(from, temporary.c_str(), to, name.c_str());
  } else {
    failed = ::renameat2(from, temporary.c_str(), to, name.c_str(), RENAME_NOREPLACE);
    if (failed && (errno == EINVAL || errno == ENOSYS)) {  // the file system can't, but every one has link(2)
      failed = ::linkat(from, temporary.c_str(), to, name.c_str(), 0);
      if (!failed) (void)::unlinkat(from, temporary.c_str(), 0);
    }
  }
  if (failed) return fail_errno("name the new object " + path_of(key), errno);
  if (::fsync(to) != 0) return fail_errno("sync the directory of " + path_of(key), errno);
  return {};
}

Result<DirectFile> DirStore::open_for_reading(const std::string& key, uint64_t& size) {
  counted_.gets++;
  TRY(check_object_key(key));
  TRY_ASSIGN(DirectFile file, open_direct(root_.get(), key, path_of(key)));
  struct stat status;
  if (::fstat(file.fd.get(), &status) != 0) return fail_errno("stat " + path_of(key), errno);
  if (!S_ISREG(status.st_mode)) return fail(Errc::kNotFound, path_of(key) + " is not a file");
  size = static_cast<uint64_t>(status.st_size);
  return file;
}

Result<ObjectBytes> DirStore::read_now(const std::string& key, const DirectFile& file, ObjectRange range,
                                       uint64_t object_size, const TakeMemory& take) {
  if (range.size > kMaxGetBytes)
    return fail(Errc::kTooLarge, "get " + path_of(key) + ": more than " + std::to_string(kMaxGetBytes) + " bytes");
  if (range.offset > object_size || range.size > object_size - range.offset) {
    return fail(Errc::kCorrupt, path_of(key) + " has only " + std::to_string(object_size) + " bytes, not " +
                                    std::to_string(range.size) + " at " + std::to_string(range.offset));
  }
  if (range.size == 0) return ObjectBytes({}, nullptr, object_size);
  TRY_ASSIGN(DirectBytes read, read_direct(file, range.offset, range.size, take, path_of(key)));
  counted_.get_bytes += range.size;
  return ObjectBytes(read.bytes, std::move(read.owner), object_size);
}

Result<std::vector<ListedObject>> DirStore::list_now(const std::string& prefix, const std::string& start_after) {
  // Keys of directories: "", or with a slash at the end. Only the one that the prefix names, and what is below.
  std::vector<std::string> waiting{prefix.substr(0, prefix.rfind('/') + 1)};
  if (!waiting[0].empty()) TRY(check_object_key(waiting[0].substr(0, waiting[0].size() - 1)));
  std::vector<ListedObject> listed;
  while (!waiting.empty()) {
    std::string at = std::move(waiting.back());
    waiting.pop_back();
    auto directory = open_parent(root_.get(), root_path_, at, Missing::fail);
    if (!directory && directory.error().sys_errno == ENOENT) continue;
    if (!directory) return tl::unexpected<Error>(std::move(directory).error());
    TRY_ASSIGN(auto entries, read_directory(directory->get(), path_of(at)));
    for (auto& entry : entries) {
      std::string key = at + entry.name;
      if (entry.is_directory) {
        key += '/';
        // Keys have 16 parts at most: what is deeper is none of ours.
        bool too_deep = static_cast<size_t>(std::count(key.begin(), key.end(), '/')) >= kMaxObjectKeyParts;
        if (key.starts_with(prefix) && !too_deep) waiting.push_back(std::move(key));
      } else if (key.starts_with(prefix) && key > start_after && key != kLockName) {
        if (listed.size() >= kMaxListedObjects) return fail(Errc::kTooLarge, url() + " has too many objects to list");
        listed.push_back({std::move(key), entry.size});
      }
    }
  }
  std::sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return listed;
}

Result<void> DirStore::remove_now(const std::string& key) {
  counted_.deletes++;
  TRY(check_object_key(key));
  if (key == kLockName) return fail(Errc::kInvalidArgument, path_of(key) + " is the store's own");
  auto parent = open_parent(root_.get(), root_path_, key, Missing::fail);
  if (!parent && parent.error().sys_errno == ENOENT) return {};
  if (!parent) return tl::unexpected<Error>(std::move(parent).error());
  if (::unlinkat(parent->get(), last_part(key).c_str(), 0) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("remove " + path_of(key), errno);
  }
  // An object that comes back after a crash would look like one that nobody listed.
  if (::fsync(parent->get()) != 0) return fail_errno("sync the directory of " + path_of(key), errno);
  return {};
}

StoreCounters DirStore::counters() const {
  StoreCounters c;
  c.puts = counted_.puts, c.gets = counted_.gets, c.lists = counted_.lists, c.deletes = counted_.deletes;
  c.put_bytes = counted_.put_bytes, c.get_bytes = counted_.get_bytes, c.errors = counted_.errors;
  return c;
}

}  // namespace topicfs
