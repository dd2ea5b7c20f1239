// Open files and directories: what the kernel's file handle numbers stand for.
#pragma once

#include <topicfs/catalog.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "fuse/file_reader.h"
#include "fuse/file_writer.h"
#include "fuse/names_and_inodes.h"

namespace topicfs::fuse {

/// One open file description. `writer` where it was opened for writing, `reader` where it reads a
/// partition's text; the status file has a snapshot of its text instead.
struct OpenFile {
  Inode inode = 0;
  PartitionId partition;
  std::shared_ptr<FileWriter> writer;
  std::shared_ptr<FileReader> reader;
  std::shared_ptr<const std::string> snapshot;
};

/// One open directory: the topics of the root as they were when the listing began.
struct OpenDir {
  Inode inode = 0;
  std::vector<TopicPtr> topics;  // by number
};

/// Owns what is open; a handle's address is the number that the kernel keeps.
template <class T>
class Handles {
 public:
  T* add(std::unique_ptr<T> handle) {
    T* address = handle.get();
    MutexLock lock(mutex_);
    open_.emplace(address, std::move(handle));
    return address;
  }
  std::unique_ptr<T> remove(T* handle) {
    MutexLock lock(mutex_);
    auto found = open_.extract(handle);
    return found ? std::move(found.mapped()) : nullptr;
  }
  std::vector<std::unique_ptr<T>> remove_all() {
    std::vector<std::unique_ptr<T>> all;
    MutexLock lock(mutex_);
    for (auto& [address, handle] : open_) all.push_back(std::move(handle));
    open_.clear();
    return all;
  }

 private:
  Mutex mutex_;
  std::unordered_map<T*, std::unique_ptr<T>> open_ GUARDED_BY(mutex_);
};

}  // namespace topicfs::fuse
