#include "io/sync_probe.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <utility>
#include <vector>

namespace topicfs {
namespace {

constexpr size_t kProbeBytes = 4096;
constexpr int kProbeWrites = 24;  // by each method, which has blocks of its own
constexpr SyncMethod kMethods[] = {SyncMethod::direct_dsync, SyncMethod::buffered, SyncMethod::buffered_dsync};

struct FreeAligned {
  void operator()(std::byte* p) const { std::free(p); }
};

struct Candidate {
  SyncMethod method;
  std::unique_ptr<File> file;       // none where the method does not work
  std::vector<MonotonicTime> took;  // each durable write
};

Result<void> write_once(Candidate& candidate, uint64_t position, ByteSpan block, Clock& clock) {
  const MonotonicTime start = clock.now();
  TRY(candidate.file->write_at(position, {block}));
  TRY(candidate.file->sync());
  candidate.took.push_back(clock.now() - start);
  return {};
}

/// By turns, so that whatever else the machine does meanwhile delays one as much as the other.
std::vector<SyncProbe> measure(FileSystem& fs, const std::string& path, ByteSpan block, Clock& clock) {
  std::vector<Candidate> candidates;
  for (SyncMethod method : kMethods)
    if (auto file = fs.open(path, OpenMode::read_write, method)) candidates.push_back({method, std::move(*file), {}});
  uint64_t position = 0;
  for (int n = 0; n < kProbeWrites; n++)
    for (Candidate& c : candidates)
      if (c.file && !write_once(c, std::exchange(position, position + kProbeBytes), block, clock)) c.file.reset();
  std::vector<SyncProbe> measured;
  for (Candidate& c : candidates) {
    if (!c.file) continue;
    const auto lowest_eighth = c.took.begin() + kProbeWrites / 8;
    std::nth_element(c.took.begin(), lowest_eighth, c.took.end());
    measured.push_back({c.method, *lowest_eighth});
  }
  return measured;
}

Result<void> make_probe_file(FileSystem& fs, const std::string& path, ByteSpan block) {
  (void)fs.remove(path);  // left by a crash, if at all
  TRY_ASSIGN(auto file, fs.open(path, OpenMode::create, SyncMethod::buffered));
  for (uint64_t i = 0; i < kProbeWrites * std::size(kMethods); i++) TRY(file->write_at(i * kProbeBytes, {block}));
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
  for (const SyncProbe& probe : measure(fs, path, block, clock)) {
    if (probe.method == SyncMethod::direct_dsync) direct = probe;
    if (!best || probe.latency < best->latency) best = probe;
  }
  TRY(fs.remove(path));
  if (!best) return fail(Errc::kIo, "no way of making a write durable works in " + directory);
  // Direct writes spare the page cache and a copy, which large commits feel: they win unless clearly slower.
  if (direct && direct->latency * 2 <= best->latency * 3) return *direct;
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
