#include "io/file_system.h"

namespace topicfs {

Result<std::vector<std::byte>> read_file(FileSystem& fs, const std::string& path, uint64_t max_bytes) {
  TRY_ASSIGN(auto file, fs.open(path, OpenMode::read, SyncMethod::buffered));
  TRY_ASSIGN(uint64_t size, file->size());
  if (size > max_bytes) return fail(Errc::kTooLarge, path + " has " + std::to_string(size) + " bytes");
  std::vector<std::byte> bytes(size);
  TRY_ASSIGN(size_t got, file->read_at(0, bytes));
  bytes.resize(got);
  return bytes;
}

Result<void> write_file(FileSystem& fs, const std::string& directory, const std::string& name, ByteSpan bytes) {
  std::string path = directory + "/" + name, temporary = path + ".new";
  (void)fs.remove(temporary);  // left by a crash, if at all
  TRY_ASSIGN(auto file, fs.open(temporary, OpenMode::create, SyncMethod::buffered));
  TRY(file->write_at(0, {bytes}));
  TRY(file->sync());
  TRY(fs.rename(temporary, path));
  return fs.sync_directory(directory);
}

}  // namespace topicfs
