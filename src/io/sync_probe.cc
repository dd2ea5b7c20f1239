#include "io/sync_probe.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

namespace topicfs {
namespace {

constexpr size_t kProbeBytes = 4096;
constexpr int kProbeWrites = 24;

struct FreeAligned {
  void operator()(std::byte* p) const { std::free(p); }
};

/// The median time of a durable write, or nothing where the method does not work.
std::optional<MonotonicTime> measure(FileSystem& fs, const std::string& path, SyncMethod method, ByteSpan block,
                                     Clock& clock) {
  auto file = fs.open(path, OpenMode::read_write, method);
  if (!file) return std::nullopt;
  std::vector<MonotonicTime> took;
  for (int i = 0; i < kProbeWrites; i++) {
    MonotonicTime start = clock.now();
    if (!(*file)->write_at(static_cast<uint64_t>(i) * kProbeBytes, {block}) || !(*file)->sync()) return std::nullopt;
    took.push_back(clock.now() - start);
  }
  std::nth_element(took.begin(), took.begin() + kProbeWrites / 2, took.end());
  return took[kProbeWrites / 2];
}

Result<void> make_probe_file(FileSystem& fs, const std::string& path, ByteSpan block) {
  (void)fs.remove(path);  // left by a crash, if at all
  TRY_ASSIGN(auto file, fs.open(path, OpenMode::create, SyncMethod::buffered));
  for (int i = 0; i < kProbeWrites; i++) TRY(file->write_at(static_cast<uint64_t>(i) * kProbeBytes, {block}));
  return file->sync();
}

}  // namespace

Result<SyncProbe> probe_sync_method(FileSystem& fs, const std::string& directory, Clock& clock) {
  std::unique_ptr<std::byte, FreeAligned> memory(
      static_cast<std::byte*>(std::aligned_alloc(kDirectAlignment, kProbeBytes)));
  if (!memory) throw std::bad_alloc();
  std::memset(memory.get(), 0, kProbeBytes);
  ByteSpan block(memory.get(), kProbeBytes);
  std::string path = directory + "/probe";
  if (auto made = make_probe_file(fs, path, block); !made) {
    (void)fs.remove(path);
    // A full disk is no reason not to start: what is in the log may be about to leave it.
    if (made.error().code == Errc::kNoSpace) return SyncProbe{};
    return tl::unexpected<Error>(std::move(made).error());
  }
  std::optional<SyncProbe> best, direct;
  for (SyncMethod method : {SyncMethod::direct_dsync, SyncMethod::buffered, SyncMethod::buffered_dsync}) {
    auto median = measure(fs, path, method, block, clock);
    if (!median) continue;
    if (method == SyncMethod::direct_dsync) direct = SyncProbe{method, *median};
    if (!best || *median < best->median) best = SyncProbe{method, *median};
  }
  TRY(fs.remove(path));
  if (!best) return fail(Errc::kIo, "no way of making a write durable works in " + directory);
  // Direct writes spare the page cache and a copy, which large commits feel: they win unless clearly slower.
  if (direct && direct->median * 4 <= best->median * 5) return *direct;
  return *best;
}

std::string_view name_of(SyncMethod method) {
  switch (method) {
    case SyncMethod::buffered: return "write, fdatasync";
    case SyncMethod::buffered_dsync: return "RWF_DSYNC";
    case SyncMethod::direct_dsync: return "O_DIRECT|O_DSYNC";
    case SyncMethod::direct: return "O_DIRECT, fdatasync";
  }
  return "unknown";
}

}  // namespace topicfs
