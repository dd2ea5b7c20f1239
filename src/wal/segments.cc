#include "wal/segments.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"
#include "base/huge_pages.h"
#include "base/log.h"
#include "base/planted_bug.h"

namespace topicfs::wal {
namespace {

constexpr size_t kPrewriteBytes = kHugePageBytes;
constexpr size_t kKeptSegments = 1;  // for all but Reserve::keep

Result<void> write_zeros(File& file, uint64_t bytes) {
  const HugeMemory memory(kPrewriteBytes);
  const ByteSpan zeros = memory.bytes();
  for (uint64_t at = 0; at < bytes; at += zeros.size())
    TRY(file.write_at(at, {zeros.first(std::min<uint64_t>(zeros.size(), bytes - at))}));
  return file.sync();
}

}  // namespace

Segments::Segments(SegmentOptions options, FileSystem& fs, LogDevice& device, ChunkPool& pool)
    : options_(std::move(options)), fs_(fs), device_(device), pool_(pool), ready_ahead_(options_.ready_ahead) {
  MUST(options_.segment_bytes % pool.chunk_bytes() == 0 || pool.chunk_bytes() % options_.segment_bytes == 0);
}

Segments::~Segments() { stop(); }

Result<void> Segments::adopt(uint32_t number, std::string path, uint32_t end) {
  TRY_ASSIGN(auto file, fs_.open(path, OpenMode::read, SyncMethod::buffered));
  auto segment = std::make_shared<Segment>();
  segment->number = number;
  segment->path = std::move(path);
  segment->file = std::move(file);
  segment->chunks.assign((options_.segment_bytes + pool_.chunk_bytes() - 1) / pool_.chunk_bytes(), kNoChunk);
  segment->end = end;
  MutexLock l(mutex_);
  MUST(live_.empty() || live_.back()->number < number);
  live_.push_back(std::move(segment));
  files_++;
  return {};
}

void Segments::add_free(std::string path) {
  MutexLock l(mutex_);
  free_files_.push_back(std::move(path));
  files_++;
}

Result<void> Segments::start(uint32_t first_number, Task on_ready) {
  on_ready_ = std::move(on_ready);
  std::string path;
  {
    MutexLock l(mutex_);
    // A log that came up full still gets one segment more: relief needs room for its own records.
    if (free_files_.empty()) {
      path = fmt::format("{}/segment-{:06}-{:08}", options_.directory, first_number, next_file_++);
    } else {
      path = std::move(free_files_.back());
      free_files_.pop_back();
      files_--;
    }
  }
  TRY_ASSIGN(auto first, prepare(path, first_number));
  MutexLock l(mutex_);
  files_++;
  ready_.push_back(std::move(first));
  next_number_ = first_number + 1;
  stopping_ = false;
  prepare_in_background();
  return {};
}

void Segments::stop() {
  MutexLock l(mutex_);
  stopping_ = true;
  while (preparing_) idle_.wait(mutex_);
}

/// Opens or makes the file, writes it once from end to end if it is new or of another size, then its header.
Result<std::unique_ptr<Segment>> Segments::prepare(std::string path, uint32_t number) {
  auto opened = fs_.open(path, OpenMode::read_write, options_.method);
  if (!opened && opened.error().code == Errc::kNotFound) {
    names_durable_ = false;
    opened = fs_.open(path, OpenMode::create, options_.method);
  }
  if (!opened) return tl::unexpected<Error>(std::move(opened).error());
  auto segment = std::make_unique<Segment>();
  segment->file = std::move(*opened);
  TRY_ASSIGN(uint64_t size, segment->file->size());
  if (size < options_.segment_bytes) {
    auto background = fs_.open(path, OpenMode::read_write, SyncMethod::direct);
    if (!background) background = fs_.open(path, OpenMode::read_write, SyncMethod::buffered);
    if (!background) return tl::unexpected<Error>(std::move(background).error());
    if (auto written = write_zeros(**background, options_.segment_bytes); !written) {
      // A half-written file, ours or that of a daemon that was killed over it, would keep from the checkpoints the room
      // that they need to free segments.
      (void)fs_.remove(path);
      return tl::unexpected<Error>(std::move(written).error());
    }
  }
  SegmentHeader header;
  header.segment = number;
  header.bytes = options_.segment_bytes;
  header.store = options_.store;
  const auto block = buffers_.take(kBlockBytes);
  const MutableByteSpan raw(block.get(), kBlockBytes);
  std::memset(raw.data(), 0, raw.size());
  encode(header, raw);
  TRY(segment->file->write_at(0, {raw}));
  TRY(segment->file->sync());
  // Also for a file that is not new: the sync of its name may have failed when it was.
  if (!names_durable_ && !planted(PlantedBug::no_directory_sync)) TRY(fs_.sync_directory(options_.directory));
  names_durable_ = true;
  segment->number = number;
  segment->path = std::move(path);
  segment->chunks.assign((options_.segment_bytes + pool_.chunk_bytes() - 1) / pool_.chunk_bytes(), kNoChunk);
  return segment;
}

void Segments::prepare_in_background() {
  if (stopping_ || preparing_ || ready_.size() >= ready_ahead_) return;
  std::string path;
  if (!free_files_.empty()) {
    path = std::move(free_files_.back());
    free_files_.pop_back();
  } else if (files_ < options_.max_segments) {
    path = fmt::format("{}/segment-{:06}-{:08}", options_.directory, next_number_, next_file_++);
    files_++;
  } else {
    return;
  }
  preparing_ = true;
  device_.run([this, path = std::move(path), number = next_number_++]() mutable {
    auto segment = prepare(path, number);
    prepared(std::move(segment), std::move(path));
  });
}

void Segments::prepared(Result<std::unique_ptr<Segment>> segment, std::string path) {
  bool tell = false;
  {
    MutexLock l(mutex_);
    preparing_ = false;
    if (segment) {
      ready_.push_back(std::move(*segment));
      last_error_.clear();
      tell = std::exchange(starved_, false);
      prepare_in_background();
    } else {
      // Tried again when the log next asks for a segment: what is wrong with the disk may pass.
      free_files_.push_back(std::move(path));
      if (std::string why = segment.error().message(); std::exchange(last_error_, why) != why)
        LOG_ERROR("cannot prepare a log segment, appends will wait when the ones at hand are full: {}", why);
    }
    idle_.notify_all();
  }
  if (tell) on_ready_();
}

size_t Segments::segments_left() const {
  return ready_.size() + (preparing_ ? 1 : 0) + free_files_.size() +
         (options_.max_segments - std::min(options_.max_segments, files_));
}

bool Segments::keeps_one() {
  MutexLock l(mutex_);
  if (segments_left() >= kKeptSegments) return true;
  starved_ = true;
  return false;
}

Segment* Segments::open_next(Reserve reserve) {
  MutexLock l(mutex_);
  if (ready_.empty() || (reserve == Reserve::keep && segments_left() <= kKeptSegments)) {
    // What the pool can hold is to wait for no file the next time.
    if (!std::exchange(starved_, true) && ready_ahead_ < pool_.size_bytes() / options_.segment_bytes) ready_ahead_ *= 2;
    prepare_in_background();
    return nullptr;
  }
  live_.push_back(std::move(ready_.front()));
  ready_.pop_front();
  prepare_in_background();
  return live_.back().get();
}

bool Segments::give_up_oldest(LogPosition durable, Reserve reserve) {
  for (auto& s : live_) {
    for (size_t i = 0; i < s->chunks.size(); i++) {
      if (s->chunks[i] == kNoChunk) continue;
      const LogPosition end{uint64_t{s->number} << 32 | std::min<uint64_t>((i + 1) * pool_.chunk_bytes(), options_.segment_bytes)};
      if (end > durable && !(s->number < durable.segment())) return false;
      if (keep_unread_ && reserve == Reserve::keep && end > offloaded_) return held_back_ = true, false;
      pool_.give_back(std::exchange(s->chunks[i], kNoChunk));
      resident_--;
      return true;
    }
  }
  return false;
}

ChunkId Segments::take_chunk(LogPosition durable, Reserve reserve) {
  ChunkId chunk = pool_.take();
  while (chunk == kNoChunk && give_up_oldest(durable, reserve)) chunk = pool_.take();
  return chunk;
}

bool Segments::hold(Segment& segment, uint32_t from, uint32_t to, LogPosition durable, Reserve reserve) {
  uint32_t first = from / pool_.chunk_bytes(), last = (to - 1) / pool_.chunk_bytes();
  if (segment.chunks[first] != kNoChunk && segment.chunks[last] != kNoChunk) return true;
  MutexLock l(mutex_);
  for (uint32_t i = first; i <= last; i++) {
    if (segment.chunks[i] != kNoChunk) continue;
    ChunkId chunk = take_chunk(durable, reserve);
    if (chunk == kNoChunk) {
      // One that came free before the notice was asked for is not missed. What was taken so far stays: giving it
      // back would be such a notice, of a chunk that helps nobody, and the log would try again and again.
      pool_.tell_when_free();
      chunk = take_chunk(durable, reserve);
      if (chunk == kNoChunk) return false;
    }
    segment.chunks[i] = chunk;
    resident_++;
  }
  return true;
}

Segment* Segments::find(uint32_t number) const {
  auto it = std::lower_bound(live_.begin(), live_.end(), number,
                             [](const std::shared_ptr<Segment>& s, uint32_t n) { return s->number < n; });
  return it != live_.end() && (*it)->number == number ? it->get() : nullptr;
}

bool Segments::pin(LogPosition at, size_t count, std::vector<ByteSpan>& out, PinSet& pins) {
  if (count == 0) return true;
  MutexLock l(mutex_);
  Segment* s = find(at.segment());
  if (!s || at.byte() + uint64_t{count} > options_.segment_bytes) return false;
  uint32_t first = at.byte() / pool_.chunk_bytes();
  uint32_t last = static_cast<uint32_t>((at.byte() + count - 1) / pool_.chunk_bytes());
  for (uint32_t i = first; i <= last; i++)
    if (s->chunks[i] == kNoChunk) return false;
  for (uint32_t i = first; i <= last; i++) pins.add(s->chunks[i]);
  SegmentBytes(pool_, *s).pieces(at.byte(), count, out);
  return true;
}

bool Segments::is_in_memory(LogPosition at) const {
  MutexLock l(mutex_);
  const Segment* s = find(at.segment());
  return s && at.byte() < options_.segment_bytes && s->chunks[at.byte() / pool_.chunk_bytes()] != kNoChunk;
}

Result<DirectBytes> Segments::read(LogPosition at, size_t size) {
  std::shared_ptr<Segment> segment;
  {
    MutexLock l(mutex_);
    auto it = std::find_if(live_.begin(), live_.end(), [&](auto& s) { return s->number == at.segment(); });
    if (it == live_.end()) return fail(Errc::kNotFound, "the log has gone on: the segment is no longer there");
    segment = *it;
  }
  // The file may be open for direct I/O, which wants alignment: read the blocks around the bytes.
  uint64_t from = at.byte() / kBlockBytes * kBlockBytes, to = align_up(at.byte() + size, kBlockBytes);
  auto blocks = buffers_.take(to - from);
  TRY_ASSIGN(size_t got, segment->file->read_at(from, {blocks.get(), to - from}));
  if (got < at.byte() - from + size) return fail(Errc::kCorrupt, segment->path + " is too short");
  return DirectBytes{{blocks.get() + (at.byte() - from), size}, blocks};
}

void Segments::release_below(uint32_t number) {
  bool tell = false;
  {
    MutexLock l(mutex_);
    while (!live_.empty() && live_.front()->number < number) {
      Segment& s = *live_.front();
      for (ChunkId& c : s.chunks)
        if (c != kNoChunk) pool_.give_back(std::exchange(c, kNoChunk)), resident_--;
      free_files_.push_back(s.path);
      live_.pop_front();
    }
    prepare_in_background();
    tell = starved_ && !ready_.empty();
  }
  if (tell) on_ready_();
}

void Segments::set_offloaded(LogPosition offloaded) {
  {
    MutexLock l(mutex_);
    offloaded_ = offloaded;
  }
  tell_held_back();
}

void Segments::keep_unread(bool keep) {
  {
    MutexLock l(mutex_);
    keep_unread_ = keep;
  }
  if (!keep) tell_held_back();
}

void Segments::tell_held_back() {
  {
    MutexLock l(mutex_);
    if (!std::exchange(held_back_, false)) return;
  }
  on_ready_();
}

Segments::Counts Segments::counts() const {
  MutexLock l(mutex_);
  return {static_cast<uint32_t>(live_.size()), static_cast<uint32_t>(ready_.size()),
          static_cast<uint32_t>(free_files_.size()), files_, options_.max_segments, resident_,
          live_.empty() ? 0 : live_.front()->number, live_.empty() ? 0 : live_.back()->number, last_error_};
}

}  // namespace topicfs::wal
