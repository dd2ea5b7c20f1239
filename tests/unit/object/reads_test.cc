#include <doctest/doctest.h>

#include <optional>
#include <set>

#include "object/range_reader.h"
#include "support/manual_executor.h"
#include "support/memory_object_store.h"
#include "unit/object/objects.h"

using namespace topicfs;

namespace {

/// A store in memory that notes the ranges it is asked for.
struct Fixture {
  ManualExecutor executor;
  MemoryObjectStore store{executor, executor};
  std::optional<FooterCache> footers{std::in_place, store, 1 << 20};
  std::optional<RangeReader> reader{std::in_place, store, *footers};

  Footer put(const std::string& key, Model& model) {
    BuiltObject object = model.build();
    bool done = false;
    store.put(key, object.pieces, Overwrite::refuse, [&](Result<void> r) { done = r.has_value(); });
    executor.run_until_idle();
    REQUIRE(done);
    return object.footer;
  }
  template <class Position>
  Result<ObjectRead> read(const std::string& key, uint32_t partition, Position from, size_t max_bytes) {
    std::optional<Result<ObjectRead>> answer;
    reader->read(key, PartitionId(partition), from, max_bytes, [&](Result<ObjectRead> r) { answer = std::move(r); });
    executor.run_until_idle();
    REQUIRE(answer);
    return std::move(*answer);
  }
  uint64_t gets() const { return store.counters().gets; }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "the first read of an object is one GET of its tail, then one of the blocks; the next are one each") {
  Model model(3, 300, 50'000, 2);
  Footer footer = put("o", model);
  auto blocks = footer.blocks_of(PartitionId(1));
  REQUIRE(blocks.size() > 4);
  reader.emplace(store, *footers, RangeReaderOptions{.max_cached_bytes = 0});

  REQUIRE(read("o", 1, blocks[1].base_offset, 1));
  CHECK(gets() == 2);
  CHECK(store.counters().get_bytes == std::min<uint64_t>(kTailBytes, footer.object_size) + blocks[1].size);
  auto before = store.counters().get_bytes;
  REQUIRE(read("o", 1, blocks[3].text_position, 1));
  CHECK(gets() == 3);
  CHECK(store.counters().get_bytes == before + blocks[3].size);
  before = store.counters().get_bytes;
  REQUIRE(read("o", 1, blocks[1].base_offset, blocks[1].size + blocks[2].size - 1));
  CHECK(gets() == 4);
  CHECK(store.counters().get_bytes == before + blocks[1].size + blocks[2].size);
}

TEST_CASE_FIXTURE(Fixture, "a footer larger than the tail costs one more exact GET") {
  Model model(4, 3000, 30, 1500);
  Footer footer = put("o", model);
  size_t footer_size = footer.encoded_size();
  REQUIRE(footer_size > kTailBytes);
  FooterPtr got;
  footers->find("o", [&](Result<FooterPtr> r) { got = *r; });
  executor.run_until_idle();
  REQUIRE(got);
  CHECK(got->blocks == footer.blocks);
  CHECK(gets() == 2);
  CHECK(store.counters().get_bytes == kTailBytes + footer_size);
}

TEST_CASE_FIXTURE(Fixture, "reading on by offset or by text brings every batch once, in small and large steps") {
  for (size_t step : {size_t{1}, size_t{30'000}, size_t{700'000}, size_t{50} << 20}) {
    INFO("step " << step);
    std::string key = "o/" + std::to_string(step);
    Model model(step, 200, 30'000, 3);
    put(key, model);
    for (uint32_t p = 1; p <= 3; p++) {
      auto expected = model.of(PartitionId(p));
      size_t next = 0;
      for (Offset from{0};;) {
        auto r = read(key, p, from, step);
        if (!r) {
          CHECK(r.error().code == Errc::kOutOfRange);
          break;
        }
        REQUIRE_FALSE(r->batches.empty());
        size_t size = 0;
        for (const auto& batch : r->batches) check_same(batch, *expected.at(next++)), size += batch.bytes.size();
        CHECK((size <= step || r->batches.size() == 1));
        from = r->batches.back().end_offset;
      }
      CHECK(next == expected.size());

      std::set<const ModelBatch*> seen;
      for (TextPosition from{0};;) {
        auto r = read(key, p, from, step);
        if (!r) break;
        for (const auto& batch : r->batches) {
          auto same = std::find_if(expected.begin(), expected.end(),
                                   [&](auto* m) { return m->facts.base_offset == batch.base_offset; });
          REQUIRE(same != expected.end());
          check_same(batch, **same);
          seen.insert(*same);
        }
        REQUIRE(r->batches.back().text_end() > from);
        from = r->batches.back().text_end();
      }
      for (auto* m : expected) CHECK((m->facts.text_length == 0 || seen.count(m)));
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "a reader that goes on in small steps asks the store once for each block") {
  Model model(6, 200, 30'000, 1);
  Footer footer = put("o", model);
  for (Offset from{0};;) {
    auto r = read("o", 1, from, 1);
    if (!r) break;
    from = r->batches.back().end_offset;
  }
  CHECK(gets() == 1 + footer.blocks.size());
  CHECK(footers->counters().misses == 1);
  CHECK(reader->counters().misses == footer.blocks.size());
}

TEST_CASE_FIXTURE(Fixture, "reads of the same object and block at the same time share their requests") {
  Model model(7, 50, 1000, 1);
  put("o", model);
  int answered = 0;
  for (int i = 0; i < 20; i++) {
    reader->read("o", PartitionId(1), Offset(0), 100, [&](Result<ObjectRead> r) { answered += r.has_value(); });
  }
  executor.run_until_idle();
  CHECK(answered == 20);
  CHECK(gets() == 2);
}

TEST_CASE_FIXTURE(Fixture, "what was read stays valid after its block was evicted and the reader is gone") {
  Model model(8, 50, 1000, 1);
  put("o", model);
  auto r = read("o", 1, Offset(0), 1 << 20);
  REQUIRE(r);
  reader.reset();
  footers.reset();
  auto expected = model.of(PartitionId(1));
  REQUIRE(r->batches.size() == expected.size());
  for (size_t i = 0; i < expected.size(); i++) check_same(r->batches[i], *expected[i]);
}

TEST_CASE_FIXTURE(Fixture, "a damaged block is an error that names the object, and is not kept") {
  Model model(9, 50, 1000, 1);
  Footer footer = put("dir/o", model);
  uint64_t at = footer.blocks[0].position + footer.blocks[0].size / 2;
  store.damage("dir/o", at);
  auto r = read("dir/o", 1, Offset(0), 100);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == Errc::kCorrupt);
  CHECK(r.error().what.find("dir/o") != std::string::npos);
  store.damage("dir/o", at);  // the same bit again: whole
  CHECK(read("dir/o", 1, Offset(0), 100));
}

TEST_CASE_FIXTURE(Fixture, "errors of the store reach everyone who waits, and the next read asks again") {
  Model model(10, 50, 1000, 1);
  put("o", model);
  CHECK(read("missing", 1, Offset(0), 100).error().code == Errc::kNotFound);
  for (auto verb : {MemoryObjectStore::Verb::get_tail, MemoryObjectStore::Verb::get}) {
    store.fail_next(verb, {Errc::kUnavailable, 0, "503"});
    int failed = 0;
    for (int i = 0; i < 3; i++) {
      reader->read("o", PartitionId(1), Offset(0), 100, [&](Result<ObjectRead> r) {
        failed += !r && r.error().code == Errc::kUnavailable;
      });
    }
    executor.run_until_idle();
    CHECK(failed == 3);
  }
  CHECK(read("o", 1, Offset(0), 100));
  CHECK(read("o", 2, Offset(0), 100).error().code == Errc::kOutOfRange);
  CHECK(read("o", 1, Offset(1'000'000), 100).error().code == Errc::kOutOfRange);
}

TEST_CASE_FIXTURE(Fixture, "an answer that ends early, unnoticed by the store, is an error, and is not kept") {
  Model model(8, 40, 5'000, 1);
  put("o", model);
  for (auto verb : {MemoryObjectStore::Verb::get_tail, MemoryObjectStore::Verb::get}) {
    for (size_t cut : {size_t{1}, size_t{5'000}, size_t{1} << 30}) {
      INFO("cut by " << cut);
      reader.reset();
      footers.emplace(store, 1 << 20);
      reader.emplace(store, *footers);
      store.set_faults([&](const MemoryObjectStore::Request& request) {
        MemoryObjectStore::Fate fate;
        if (request.verb == verb) fate.cut_bytes = cut;
        return fate;
      });
      auto cut_off = read("o", 1, Offset(0), 1 << 20);
      REQUIRE_FALSE(cut_off);
      CHECK(cut_off.error().what.find("o") != std::string::npos);
      store.set_faults({});
      auto whole = read("o", 1, Offset(0), 1 << 20);
      REQUIRE(whole);
      CHECK(whole->batches.size() == model.of(PartitionId(1)).size());
    }
  }
}

TEST_CASE_FIXTURE(Fixture, "closing the reader or the cache answers those who wait, once") {
  Model model(11, 50, 1000, 1);
  put("o", model);
  int closed = 0;
  auto count = [&](auto r) { closed += !r && r.error().code == Errc::kClosed; };
  reader->read("o", PartitionId(1), Offset(0), 100, [&](Result<ObjectRead> r) { count(std::move(r)); });
  footers->find("o", [&](Result<FooterPtr> r) { count(std::move(r)); });
  reader->close();
  CHECK(closed == 1);
  reader->read("o", PartitionId(1), Offset(0), 100, [&](Result<ObjectRead> r) { count(std::move(r)); });
  CHECK(closed == 2);
  reader.reset();
  CHECK(closed == 2);
  footers.reset();
  CHECK(closed == 3);
  executor.run_until_idle();
  CHECK(closed == 3);
}

TEST_CASE_FIXTURE(Fixture, "both caches stay within their bytes, and forget what they are told to") {
  size_t most = 0;
  footers.emplace(store, 20'000);
  reader.emplace(store, *footers, RangeReaderOptions{.max_cached_bytes = 100'000});
  for (int i = 0; i < 20; i++) {
    Model model(static_cast<uint64_t>(i + 20), 400, 1000, 20);
    std::string key = "o" + std::to_string(i);
    put(key, model);
    for (uint32_t p = 1; p <= 20; p++) REQUIRE(read(key, p, Offset(0), 100));
    most = std::max<size_t>(most, footers->counters().bytes);
    CHECK(reader->counters().bytes <= 100'000);
  }
  CHECK(most <= 20'000);
  CHECK(footers->counters().evictions > 0);
  CHECK(reader->counters().evictions > 0);
  auto before = gets();
  REQUIRE(read("o19", 20, Offset(0), 100));
  CHECK(gets() == before);
  footers->forget("o19");
  reader->forget("o19");
  REQUIRE(read("o19", 20, Offset(0), 100));
  CHECK(gets() == before + 2);
}

namespace {

/// Memory that counts what is in use, and has no more when a test says so.
class CountedMemory final : public BlockMemory {
 public:
  std::shared_ptr<std::byte> allocate(size_t size, size_t alignment) override {
    if (is_full) return nullptr;
    taken++;
    return heap_block_memory().allocate(size, alignment);
  }
  bool is_full = false;
  size_t taken = 0;
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a store that places is asked in pieces, which stay where they were read") {
  CountedMemory memory;
  store.set_places(true);
  reader.emplace(store, *footers, RangeReaderOptions{.memory = &memory});
  Model model(3, 300, 50'000, 1);
  Footer footer = put("o", model);
  REQUIRE(footer.blocks.size() > 4);
  auto r = read("o", 1, Offset(0), 32 << 20);
  REQUIRE(r);
  auto expected = model.of(PartitionId(1));
  REQUIRE(r->batches.size() == expected.size());
  for (size_t i = 0; i < expected.size(); i++) check_same(r->batches[i], *expected[i]);
  CHECK(memory.taken == gets() - 1);
  CHECK(gets() - 1 >= footer.object_size / RangeReader::kPlacedBytes);
}

TEST_CASE_FIXTURE(Fixture, "what was placed and is damaged, or found no memory, is an error, and is not kept") {
  CountedMemory memory;
  store.set_places(true);
  reader.emplace(store, *footers, RangeReaderOptions{.memory = &memory});
  Model model(9, 50, 1000, 1);
  Footer footer = put("o", model);
  uint64_t at = footer.blocks[0].position + footer.blocks[0].size / 2;
  store.damage("o", at);
  CHECK(read("o", 1, Offset(0), 100).error().code == Errc::kCorrupt);
  store.damage("o", at);  // the same bit again: whole
  memory.is_full = true;
  CHECK(read("o", 1, Offset(0), 100).error().code == Errc::kFull);
  memory.is_full = false;
  CHECK(read("o", 1, Offset(0), 100));
}

TEST_CASE_FIXTURE(Fixture, "a store that comes to read when the reader is closed is given no memory") {
  CountedMemory memory;
  store.set_places(true);
  reader.emplace(store, *footers, RangeReaderOptions{.memory = &memory});
  Model model(9, 50, 1000, 1);
  put("o", model);
  REQUIRE(read("o", 1, Offset(0), 100));
  reader->forget("o");
  const size_t before = memory.taken;
  bool closed = false;
  reader->read("o", PartitionId(1), Offset(0), 100, [&](Result<ObjectRead> r) { closed = r.error().code == Errc::kClosed; });
  reader->close();
  executor.run_until_idle();
  CHECK(closed);
  CHECK(memory.taken == before);
}
