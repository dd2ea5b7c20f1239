#include "engine/read_ahead.h"

#include <algorithm>
#include <tuple>

#include "object/lru.h"

namespace topicfs {
namespace {

using Position = ReadAhead::Position;

/// What a reader has ahead of it.
struct Reader {
  Partition& partition;
  Position ahead;             // asked for up to here, or read
  uint64_t ahead_bytes = 0;   // of what has come, how much it has not read
  uint64_t asked_bytes = 0;   // that are under way
  size_t window = 0;          // 0: has been seen once
  uint64_t seen = 0;          // what all had read when this one was seen last
};
using ReaderPtr = std::shared_ptr<Reader>;
using Place = std::pair<PartitionId, Position>;  // where a reader will go on

}  // namespace

struct ReadAhead::State : std::enable_shared_from_this<ReadAhead::State> {
  State(StoredObjects& o, uint64_t most) : objects(o), max_bytes(most) {}

  StoredObjects& objects;
  const uint64_t max_bytes;
  mutable Mutex mutex;
  Lru<Place, ReaderPtr> readers GUARDED_BY(mutex){kMaxReaders};
  ReadAheadCounters counters GUARDED_BY(mutex);
  size_t claimants GUARDED_BY(mutex) = 0;     // readers with pending bytes
  uint64_t read_bytes GUARDED_BY(mutex) = 0;  // by all, so far

  void claim(Reader& reader, uint64_t ahead_bytes, uint64_t asked_bytes) REQUIRES(mutex);
  bool go_on(Reader& reader, Position to, uint64_t bytes, size_t& window) REQUIRES(mutex);
  void load(const ReaderPtr& reader, Position from, size_t window);
  void on_loaded(Reader& reader, bool by_text, const Result<ObjectRead>& read);
  void remember(const Place& place, ReaderPtr reader) REQUIRES(mutex);
  void forget_those_gone() REQUIRES(mutex);
};

/// What a reader has ahead of it changes here, and nowhere else.
void ReadAhead::State::claim(Reader& reader, uint64_t ahead_bytes, uint64_t asked_bytes) {
  const uint64_t before = reader.ahead_bytes + reader.asked_bytes, after = ahead_bytes + asked_bytes;
  if (before == 0 && after > 0) claimants++;
  if (before > 0 && after == 0) claimants--;
  counters.pending_bytes = counters.pending_bytes - before + after;
  reader.ahead_bytes = ahead_bytes;
  reader.asked_bytes = asked_bytes;
}

/// Notes what the reader has read; true if it is time to get the next `window` bytes for it. Of the room that there is
/// each has its share: a reader that took all of it would let the others wait for the store at every read.
bool ReadAhead::State::go_on(Reader& reader, Position to, uint64_t bytes, size_t& window) {
  const uint64_t read = reader.ahead < to ? reader.ahead_bytes : std::min(bytes, reader.ahead_bytes);
  claim(reader, reader.ahead_bytes - read, reader.asked_bytes);
  if (reader.asked_bytes > 0) return false;
  if (reader.ahead < to) reader.ahead = to;
  reader.window = std::clamp(2 * std::max<size_t>(reader.window, bytes), kSmallestWindow, kLargestWindow);
  const uint64_t share = max_bytes / (claimants + (reader.ahead_bytes > 0 ? 0 : 1));
  const uint64_t wanted = std::min<uint64_t>(reader.window, std::max(share, uint64_t{kSmallestWindow}));
  if (reader.ahead_bytes > wanted / 2) return false;
  const uint64_t room = max_bytes - std::min(max_bytes, counters.pending_bytes);
  window = static_cast<size_t>(std::min(wanted - reader.ahead_bytes, room));
  if (window < kSmallestWindow / 2) return false;
  claim(reader, reader.ahead_bytes, window);
  counters.loads++;
  return true;
}

void ReadAhead::State::load(const ReaderPtr& reader, Position from, size_t window) {
  auto loaded = [weak = weak_from_this(), reader, by_text = std::holds_alternative<TextPosition>(from)](Result<ObjectRead> read) {
    if (auto self = weak.lock()) self->on_loaded(*reader, by_text, read);
  };
  Partition& p = reader->partition;
  auto get = [&](auto position, const Partition::Cover& cover) {
    if (!cover.extent) return loaded(fail(Errc::kNotFound, "not in an object"));
    objects.read(*cover.extent, p.id, position, window, std::move(loaded));
  };
  if (auto* text = std::get_if<TextPosition>(&from)) get(*text, p.cover(*text, 1));
  else get(std::get<Offset>(from), p.cover(std::get<Offset>(from), p.durable_end(), 1));
}

void ReadAhead::State::on_loaded(Reader& reader, bool by_text, const Result<ObjectRead>& read) {
  MutexLock lock(mutex);
  if (reader.asked_bytes == 0) return;  // forgotten meanwhile
  claim(reader, reader.ahead_bytes, 0);
  if (!read || read->batches.empty()) return;  // whoever needs it asks himself, and is told why not
  const BatchView& last = read->batches.back();
  const Position end = by_text ? Position(last.text_end()) : Position(last.end_offset);
  if (end <= reader.ahead) return;
  uint64_t bytes = 0;
  for (const BatchView& batch : read->batches) bytes += by_text ? batch.text_length : batch.bytes.size();
  reader.ahead = end;
  claim(reader, reader.ahead_bytes + bytes, 0);
  counters.bytes += bytes;
}

void ReadAhead::State::remember(const Place& place, ReaderPtr reader) {
  if (ReaderPtr* same = readers.find(place)) claim(**same, 0, 0);  // they read on as one
  reader->seen = read_bytes;
  std::vector<ReaderPtr> gone;
  readers.insert(place, std::move(reader), 1, [&gone](const ReaderPtr& evicted) { gone.push_back(evicted); });
  for (const ReaderPtr& r : gone) claim(*r, 0, 0);
}

/// Whoever has read nothing while the others have read as much as the cache holds finds nothing there any more.
void ReadAhead::State::forget_those_gone() {
  while (ReaderPtr* oldest = readers.oldest()) {
    if (read_bytes - (*oldest)->seen <= 2 * max_bytes) return;
    claim(**oldest, 0, 0);
    readers.erase_oldest();
  }
}

ReadAhead::ReadAhead(StoredObjects& objects, uint64_t max_bytes) : state_(std::make_shared<State>(objects, max_bytes)) {}
ReadAhead::~ReadAhead() = default;

void ReadAhead::on_read(Partition& partition, Position from, Position to, uint64_t bytes) {
  if (to <= from) return;
  ReaderPtr reader;
  size_t window = 0;
  Position ahead;
  {
    State& s = *state_;
    MutexLock lock(s.mutex);
    s.read_bytes += bytes;
    s.forget_those_gone();
    if (ReaderPtr* known = s.readers.find({partition.id, from})) {
      reader = std::move(*known);
      s.readers.erase({partition.id, from});
      const bool load = s.go_on(*reader, to, bytes, window);
      ahead = reader->ahead;
      s.remember({partition.id, to}, reader);
      if (!load) return;
    } else {
      s.remember({partition.id, to}, std::make_shared<Reader>(Reader{partition, to}));
      return;
    }
  }
  state_->load(reader, ahead, window);
}

ReadAheadCounters ReadAhead::counters() const {
  MutexLock lock(state_->mutex);
  return state_->counters;
}

}  // namespace topicfs
