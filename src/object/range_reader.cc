#include "object/range_reader.h"

#include <algorithm>
#include <map>
#include <new>
#include <unordered_set>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/mutex.h"
#include "codec/crc32c.h"
#include "object/lru.h"

namespace topicfs {
namespace {

using Position = std::variant<Offset, TextPosition>;
using BlockKey = std::pair<std::string, size_t>;  // object, number of the block in its footer

/// A verified block. Shared by the cache and the reads that use it.
struct Block {
  std::shared_ptr<const void> memory;
  BlockReader reader;
};
using BlockPtr = std::shared_ptr<const Block>;

/// The first of the partition's blocks that ends behind the position.
size_t first_block(std::span<const BlockEntry> blocks, Position from) {
  auto ends_before = [&](const BlockEntry& b) {
    return std::holds_alternative<Offset>(from) ? b.end_offset <= std::get<Offset>(from)
                                                : b.text_end() <= std::get<TextPosition>(from);
  };
  return static_cast<size_t>(std::partition_point(blocks.begin(), blocks.end(), ends_before) - blocks.begin());
}

/// How many bytes of what the caller counts (batches, text) lie in `block` from the position on.
/// For offsets a guess: a block's records are about equal.
uint64_t useful_bytes(const BlockEntry& block, Position from) {
  if (auto* text = std::get_if<TextPosition>(&from))
    return static_cast<uint64_t>(block.text_end() - std::max(*text, block.text_position));
  auto records = static_cast<double>(block.end_offset - block.base_offset);
  auto ahead = static_cast<double>(block.end_offset - std::max(std::get<Offset>(from), block.base_offset));
  return static_cast<uint64_t>(block.size * (ahead / records));
}

/// How many blocks from `first` on cover `max_bytes` from the position.
size_t blocks_to_read(std::span<const BlockEntry> blocks, size_t first, Position from, size_t max_bytes) {
  uint64_t useful = 0, size = 0;
  size_t end = first;
  do {
    useful += useful_bytes(blocks[end], from);
    size += blocks[end].size;
    end++;
  } while (end < blocks.size() && useful < max_bytes && size + blocks[end].size <= RangeReader::kMaxReadBytes);
  return end - first;
}

/// A read that has its footer. Guarded by the state's mutex until `missing` is 0.
struct Read {
  std::string key;
  FooterPtr footer;
  Position from;
  size_t max_bytes = 0;
  size_t first = 0;              // number of its first block in the footer
  std::vector<BlockPtr> blocks;  // from there; nullptr: not here yet
  size_t missing = 0;
  Completion<ObjectRead> done;
};
using ReadPtr = std::shared_ptr<Read>;

void answer(Read& read) {
  ObjectRead answer;
  answer.footer = read.footer;
  uint64_t taken = 0;
  bool full = false;
  for (const BlockPtr& block : read.blocks) {
    const BlockReader& reader = block->reader;
    for (size_t i = std::visit([&](auto from) { return reader.find(from); }, read.from); i < reader.size() && !full; i++) {
      BatchView batch = reader[i];
      uint64_t useful = batch.bytes.size();
      if (auto* from = std::get_if<TextPosition>(&read.from)) {
        full = !answer.batches.empty() && taken >= read.max_bytes;  // the last one may reach beyond
        useful = static_cast<uint64_t>(batch.text_end() - std::max(*from, batch.text_position));
      } else {
        full = !answer.batches.empty() && taken + useful > read.max_bytes;
      }
      if (full) break;
      answer.batches.push_back(batch);
      taken += useful;
    }
  }
  answer.pin = std::make_shared<std::vector<BlockPtr>>(std::move(read.blocks));
  read.done(std::move(answer));
}

constexpr char kClosing[] = "reads of objects are closing";

}  // namespace

struct RangeReader::State : std::enable_shared_from_this<RangeReader::State> {
  State(ObjectStore& s, FooterCache& f, RangeReaderOptions o)
      : store(s), footers(f), memory(o.memory ? *o.memory : heap_block_memory()), cached(o.max_cached_bytes) {}

  ObjectStore& store;
  FooterCache& footers;
  BlockMemory& memory;
  mutable Mutex mutex;
  Lru<BlockKey, BlockPtr> cached GUARDED_BY(mutex);
  std::map<BlockKey, std::vector<ReadPtr>> loading GUARDED_BY(mutex);  // and who waits for the block
  std::unordered_set<ReadPtr> waiting GUARDED_BY(mutex);
  bool closed GUARDED_BY(mutex) = false;
  size_t placing GUARDED_BY(mutex) = 0;  // requests that read into memory, or check what they have read there
  CondVar placed;
  CacheCounters counters GUARDED_BY(mutex);

  void start(const std::string& key, PartitionId partition, Position from, size_t max_bytes, Completion<ObjectRead> done);
  void begin(ReadPtr read, PartitionId partition);
  void load(const ReadPtr& read, size_t first, size_t end);
  void request(const std::string& key, const FooterPtr& footer, size_t first, size_t end);
  std::shared_ptr<std::byte> begin_placing(size_t size);
  void end_placing();
  void on_bytes(const std::string& key, const FooterPtr& footer, size_t first, size_t end, Result<ObjectBytes> got,
                bool places);
  Result<BlockPtr> make_block(const BlockEntry& entry, ByteSpan bytes, const ObjectBytes& got);
  void give(const std::string& key, size_t number, Result<BlockPtr> block);
};

/// Find the footer, then the blocks. What the store answers after the reader is gone reaches nobody.
void RangeReader::State::start(const std::string& key, PartitionId partition, Position from, size_t max_bytes,
                               Completion<ObjectRead> done) {
  auto read = std::make_shared<Read>();
  read->key = key;
  read->from = from;
  read->max_bytes = std::min(max_bytes, kMaxReadBytes);
  read->done = std::move(done);
  {
    MutexLock lock(mutex);
    if (closed) {
      lock.unlock();
      return read->done(fail(Errc::kClosed, kClosing));
    }
    if (waiting.size() >= kMaxWaiting) {
      lock.unlock();
      return read->done(fail(Errc::kFull, "too many reads wait for the object store"));
    }
    waiting.insert(read);
  }
  footers.find(key, [weak = weak_from_this(), read, partition](Result<FooterPtr> footer) {
    auto self = weak.lock();
    if (!self) return;
    if (footer) {
      read->footer = std::move(*footer);
      return self->begin(read, partition);
    }
    {
      MutexLock lock(self->mutex);
      if (self->waiting.erase(read) == 0) return;
    }
    read->done(tl::unexpected<Error>(std::move(footer).error()));
  });
}

void RangeReader::State::begin(ReadPtr read, PartitionId partition) {
  auto blocks = read->footer->blocks_of(partition);
  size_t first = first_block(blocks, read->from);
  MutexLock lock(mutex);
  if (closed) return;
  if (first == blocks.size()) {
    waiting.erase(read);
    lock.unlock();
    return read->done(fail(Errc::kOutOfRange, store.url() + "/" + read->key + " has nothing of partition " +
                                                  std::to_string(partition.v) + " at that position or behind it"));
  }
  read->blocks.resize(blocks_to_read(blocks, first, read->from, read->max_bytes));
  read->first = static_cast<size_t>(blocks.data() - read->footer->blocks.data()) + first;

  // What is neither here nor on its way is asked for in one piece, from the first such block to the last.
  size_t load_first = SIZE_MAX, load_end = 0;
  for (size_t i = 0; i < read->blocks.size(); i++) {
    BlockKey block{read->key, read->first + i};
    if (BlockPtr* here = cached.find(block)) {
      read->blocks[i] = *here;
      counters.hits++;
      continue;
    }
    read->missing++;
    auto [place, is_new] = loading.try_emplace(block);
    place->second.push_back(read);
    (is_new ? counters.misses : counters.hits)++;
    if (is_new) load_first = std::min(load_first, block.second), load_end = block.second + 1;
  }
  if (read->missing == 0) waiting.erase(read);
  bool complete = read->missing == 0;
  lock.unlock();
  if (complete) answer(*read);
  else if (load_end > 0) load(read, load_first, load_end);
}

void RangeReader::State::load(const ReadPtr& read, size_t first, size_t end) {
  const FooterPtr footer = read->footer;
  if (!store.places()) return request(read->key, footer, first, end);
  const std::string key = read->key;
  while (first < end) {
    size_t next = first + 1;
    uint64_t size = footer->blocks[first].size;
    for (; next < end && size + footer->blocks[next].size <= kPlacedBytes; next++) size += footer->blocks[next].size;
    request(key, footer, std::exchange(first, next), next);
  }
}

void RangeReader::State::request(const std::string& key, const FooterPtr& footer, size_t first, size_t end) {
  const auto& blocks = footer->blocks;
  uint64_t position = blocks[first].position, stop = blocks[end - 1].position + blocks[end - 1].size;
  auto places = std::make_shared<bool>(false);  // of the request, whose steps follow one another
  auto done = [weak = weak_from_this(), key, footer, first, end, places, size = stop - position](Result<ObjectBytes> got) {
    if (got && got->bytes.size() != size) got = fail(Errc::kUnavailable, "the store's answer ended early");
    if (auto self = weak.lock()) self->on_bytes(key, footer, first, end, std::move(got), *places);
  };
  if (!store.places()) return store.get(key, {position, stop - position}, std::move(done));
  auto take = [weak = weak_from_this(), places](size_t size) {
    auto self = weak.lock();
    auto taken = self ? self->begin_placing(size) : nullptr;
    *places = taken != nullptr;
    return taken;
  };
  store.get_placed(key, {position, stop - position}, std::move(take), std::move(done));
}

/// Memory that the store may write to until end_placing(); nullptr if there is none, or not any more.
std::shared_ptr<std::byte> RangeReader::State::begin_placing(size_t size) {
  {
    MutexLock lock(mutex);
    if (closed) return nullptr;
    placing++;
  }
  auto taken = memory.allocate(size, BlockMemory::kDirectAlignment);
  if (!taken) end_placing();
  return taken;
}

void RangeReader::State::end_placing() {
  MutexLock lock(mutex);
  if (--placing == 0) placed.notify_all();
}

void RangeReader::State::on_bytes(const std::string& key, const FooterPtr& footer, size_t first, size_t end,
                                  Result<ObjectBytes> got, bool places) {
  auto block_of = [&](size_t i) -> Result<BlockPtr> {
    if (!got) return tl::unexpected<Error>(got.error());
    const BlockEntry& entry = footer->blocks[i];
    return make_block(entry, got->bytes.subspan(entry.position - footer->blocks[first].position, entry.size), *got);
  };
  if (!places) {  // one by one: for each the cache lets go of others, and so makes room for the next
    for (size_t i = first; i < end; i++) give(key, i, block_of(i));
    return;
  }
  std::vector<Result<BlockPtr>> blocks;
  for (size_t i = first; i < end; i++) blocks.push_back(block_of(i));
  end_placing();
  for (size_t i = first; i < end; i++) give(key, i, std::move(blocks[i - first]));
}

/// A block of bytes that lie elsewhere owns its own, so that one that stays does not keep its neighbours' memory. The
/// copy is the pass that computes the checksum.
Result<BlockPtr> RangeReader::State::make_block(const BlockEntry& entry, ByteSpan bytes, const ObjectBytes& got) {
  if (got.is_placed) {
    TRY_ASSIGN(BlockReader reader, BlockReader::open(entry, bytes));
    return std::make_shared<const Block>(Block{got.owner, reader});
  }
  auto own = memory.allocate(bytes.size(), BlockMemory::kCopyAlignment);
  if (!own) return fail(Errc::kFull, "no memory for blocks of objects; retry later");
  uint32_t crc = crc32c_copy(own.get(), bytes);
  TRY_ASSIGN(BlockReader reader, BlockReader::open(entry, {own.get(), bytes.size()}, crc));
  return std::make_shared<const Block>(Block{std::move(own), reader});
}

/// A block is here, or can't be had: keep it, and go on with the reads that wait for it.
void RangeReader::State::give(const std::string& key, size_t number, Result<BlockPtr> block) {
  if (!block && block.error().what.find(key) == std::string::npos)
    block.error().what = store.url() + "/" + key + ": " + block.error().what;
  std::vector<ReadPtr> complete, failed;
  {
    MutexLock lock(mutex);
    if (closed) return;
    if (block) {
      size_t size = (*block)->reader.size_bytes();
      counters.evictions += cached.insert({key, number}, *block, size);
    } else {
      counters.failures++;
    }
    auto found = loading.find({key, number});
    if (found == loading.end()) return;  // came along with its neighbours
    std::vector<ReadPtr> waiters = std::move(found->second);
    loading.erase(found);
    for (ReadPtr& read : waiters) {
      if (!waiting.count(read)) continue;  // another block of it failed
      if (block) {
        read->blocks[number - read->first] = *block;
        if (--read->missing > 0) continue;
      }
      waiting.erase(read);
      (block ? complete : failed).push_back(std::move(read));
    }
  }
  for (auto& read : complete) answer(*read);
  for (auto& read : failed) read->done(tl::unexpected<Error>(block.error()));
}

RangeReader::RangeReader(ObjectStore& store, FooterCache& footers, RangeReaderOptions options)
    : state_(std::make_shared<State>(store, footers, options)) {}

RangeReader::~RangeReader() { close(); }

void RangeReader::close() {
  std::unordered_set<ReadPtr> waiting;
  {
    MutexLock lock(state_->mutex);
    state_->closed = true;
    while (state_->placing > 0) state_->placed.wait(state_->mutex);
    waiting.swap(state_->waiting);
    state_->loading.clear();
  }
  for (const ReadPtr& read : waiting) read->done(fail(Errc::kClosed, kClosing));
}

void RangeReader::read(const std::string& key, PartitionId partition, Offset from, size_t max_bytes,
                       Completion<ObjectRead> done) {
  state_->start(key, partition, from, max_bytes, std::move(done));
}

void RangeReader::read(const std::string& key, PartitionId partition, TextPosition from, size_t max_bytes,
                       Completion<ObjectRead> done) {
  state_->start(key, partition, from, max_bytes, std::move(done));
}

void RangeReader::forget(const std::string& key) {
  MutexLock lock(state_->mutex);
  state_->cached.erase_range({key, 0}, {key, SIZE_MAX});
}

CacheCounters RangeReader::counters() const {
  MutexLock lock(state_->mutex);
  CacheCounters c = state_->counters;
  c.bytes = state_->cached.bytes();
  c.entries = state_->cached.size();
  return c;
}

BlockMemory& heap_block_memory() {
  class Heap final : public BlockMemory {
   public:
    std::shared_ptr<std::byte> allocate(size_t size, size_t alignment) override {
      void* bytes = ::operator new(size, std::align_val_t(alignment));
      return {static_cast<std::byte*>(bytes), [alignment](std::byte* p) { ::operator delete(p, std::align_val_t(alignment)); }};
    }
  };
  static Heap heap;
  return heap;
}

}  // namespace topicfs
