// Appends one byte below, at, and one above every limit that a batch can meet.
#include "unit/engine/engine_fixture.h"

#include "support/batches.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

struct Limits : EngineFixture {
  /// One record whose batch has exactly `size` bytes.
  static std::string batch_of(size_t size) {
    size_t value = size - std::min<size_t>(size, 100);
    for (;; value++) {
      std::string batch = encode_batch({{std::string(value, 'v')}});
      if (batch.size() == size) return batch;
      REQUIRE(batch.size() < size);
    }
  }
  Result<Appended> produce(PartitionId p, const std::string& batch) {
    auto outcome = std::make_shared<Result<Appended>>(fail(Errc::kTimedOut, "not answered"));
    engine->append_batch(p, as_byte_span(batch), {Ack::durable, Wait::yes},
                         [outcome](Result<Appended> r) { *outcome = std::move(r); });
    executor->run_until_idle();
    return *outcome;
  }
  void set(const std::string& topic, const std::string& name, const std::string& value) {
    std::optional<Result<TopicPtr>> done;
    engine->change_settings(engine->find_topic(topic)->id, {{name, value}}, [&](Result<TopicPtr> r) { done = std::move(r); });
    settle();
    REQUIRE(done);
    REQUIRE(*done);
  }
  /// The text of a batch of one record.
  static std::string text_of(const std::string& batch) {
    BatchHeader header = *BatchHeader::parse(as_byte_span(batch));
    ByteSpan piece = as_byte_span(batch);
    RecordsView view = *RecordsView::of_batch(header, {&piece, 1});
    RecordReader reader(view);
    Record record;
    std::string text;
    REQUIRE(reader.begin(record));
    REQUIRE(reader.read_value([&](ByteSpan part) { text.append(as_text(part)); }));
    return text + "\n";
  }
};

}  // namespace

TEST_CASE("batches around the size of a chunk, and of two, are durable and read back across the border") {
  Limits f;
  f.options.pool_bytes = 1 << 20;  // chunks of 64 KiB
  f.start();
  REQUIRE(f.engine->pool().chunk_bytes() == 64 << 10);
  PartitionId p = f.make_partition("orders");
  std::string expected;
  for (size_t chunks : {1, 2, 3}) {
    for (int off : {-1, 0, 1}) {
      // The entry, its header included, ends one byte before a chunk does, with it, and one behind.
      std::string batch = Limits::batch_of(chunks * (64 << 10) - sizeof(wal::EntryHeader) + static_cast<size_t>(off));
      auto appended = f.produce(p, batch);
      REQUIRE_MESSAGE(appended, (appended ? "" : appended.error().message()));
      expected += Limits::text_of(batch);
    }
  }
  CHECK(f.read(p, 5000) == expected);
  f.power_cut();
  f.start();
  CHECK(f.read(f.partition("orders"), 64 << 10) == expected);
}

TEST_CASE("max.message.bytes takes a batch of exactly its size, and not one byte more") {
  Limits f;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.set("orders", "max.message.bytes", "5000");
  CHECK(f.produce(p, Limits::batch_of(4999)));
  CHECK(f.produce(p, Limits::batch_of(5000)));
  auto refused = f.produce(p, Limits::batch_of(5001));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(f.engine->ends(p)->visible_end == Offset(2));
}

TEST_CASE("max_batch_text takes a batch of exactly that much text, and not one byte more") {
  Limits f;
  f.options.max_batch_text = 3000;
  f.start();
  PartitionId p = f.make_partition("orders");
  CHECK(f.produce(p, encode_batch({{std::string(2998, 'v')}})));
  CHECK(f.produce(p, encode_batch({{std::string(1499, 'v')}, {std::string(1499, 'v')}})));
  auto refused = f.produce(p, encode_batch({{std::string(3000, 'v')}}));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  refused = f.produce(p, encode_batch({{std::string(3'000'000, 'v')}}, Codec::zstd));  // small until it is decoded
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(f.engine->ends(p)->text_end == TextPosition(2999 + 3000));
}

TEST_CASE("a batch that fills a segment of the log to its last block is taken, one byte more is refused") {
  Limits f;  // segments of 1 MiB
  f.start();
  PartitionId p = f.make_partition("orders");
  f.set("orders", "max.message.bytes", "10000000");
  // Two blocks of a segment are not for entries: its header, and the end of the commit.
  const size_t most = (1 << 20) - 2 * wal::kBlockBytes - sizeof(wal::EntryHeader);
  std::string expected;
  for (size_t size : {most - 1, most}) {
    std::string batch = Limits::batch_of(size);
    auto appended = f.produce(p, batch);
    REQUIRE_MESSAGE(appended, (appended ? "" : appended.error().message()));
    expected += Limits::text_of(batch);
  }
  auto refused = f.produce(p, Limits::batch_of(most + 1));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(f.produce(p, Limits::batch_of(100)));  // and the log goes on
  CHECK(f.read(p).starts_with(expected));
  f.power_cut();
  f.start();
  CHECK(f.read(f.partition("orders")).starts_with(expected));
  CHECK(f.engine->ends(f.partition("orders"))->durable_end == Offset(3));
}

TEST_CASE("a text of kMaxTextAppendBytes is taken, one byte more is refused, and so is what exceeds a segment") {
  Limits f;
  f.options.wal_segment_bytes = 4 << 20;
  f.options.pool_bytes = 16 << 20;
  f.start();
  PartitionId p = f.make_partition("orders");
  std::string text(kMaxTextAppendBytes, 'x');
  text.back() = '\n';
  CHECK(f.append(p, text));
  auto refused = f.append(p, "y" + text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(f.read(p) == text);

  Limits small;  // segments of 1 MiB
  small.start();
  p = small.make_partition("orders");
  refused = small.append(p, text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(small.append(p, "goes on\n"));
}

TEST_CASE("what takes more than half of the pool is refused at once, instead of waiting for room that never comes") {
  Limits f;
  f.options.wal_segment_bytes = 4 << 20;
  f.options.pool_bytes = 1 << 20;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.set("orders", "max.message.bytes", "10000000");
  const size_t most = (512 << 10) - sizeof(wal::EntryHeader);
  CHECK(f.produce(p, Limits::batch_of(most)));
  CHECK(f.produce(p, Limits::batch_of(most)));
  auto refused = f.produce(p, Limits::batch_of(most + 1));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kTooLarge);
  CHECK(f.produce(p, Limits::batch_of(most)));
}

TEST_CASE("a full log comes up with the smallest pool, reads from its segments, and goes on") {
  Limits f;
  f.options.wal_max_bytes = 8 << 20;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.store->set_faults([](const MemoryObjectStore::Request&) {
    return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
  });
  std::string text = std::string(50'000, 'x') + "\n", expected;
  for (int i = 0; f.append(p, std::to_string(i) + text); i++) expected += std::to_string(i) + text;
  REQUIRE(expected.size() > 5 << 20);
  f.power_cut();
  f.options.pool_bytes = 4 * (64 << 10);
  f.start();
  CHECK(f.read(f.partition("orders"), 100'000).starts_with(expected));
  f.executor->advance(std::chrono::seconds(60));
  CHECK(f.append(f.partition("orders"), "goes on\n"));
  CHECK(f.read(f.partition("orders"), 100'000).ends_with("goes on\n"));
}

TEST_CASE("an engine with 1,000 or 100,000 partitions comes up from its log, its checkpoint and its bucket with a small pool") {
  for (int32_t partitions : {1000, kMaxPartitionsPerTopic}) {
    CAPTURE(partitions);
    Limits f;
    f.options.wal_segment_bytes = 16 << 20;
    f.options.wal_max_bytes = 256 << 20;
    f.options.object_bytes = 64 << 20;
    f.options.pool_bytes = 64 << 20;
    f.start();
    f.make_partition("orders", partitions);
    const TopicPtr made = f.engine->find_topic("orders");
    int answered = 0;
    for (const PartitionInfo& p : made->partitions) {
      const std::string text = std::to_string(p.id.v) + "\n";
      ByteSpan piece = as_byte_span(text);
      f.engine->append_text(p.id, {&piece, 1}, LastLine::complete, {Ack::buffered, Wait::yes},
                            [&](Result<Appended> r) { answered += r ? 1 : 0; });
      if (p.id.v % 1000 == 0) f.executor->run_until_idle();
    }
    f.settle();
    REQUIRE(answered == partitions);
    auto check = [&] {
      const TopicPtr topic = f.engine->find_topic("orders");
      REQUIRE(topic);
      REQUIRE(topic->partitions.size() == static_cast<size_t>(partitions));
      int32_t wrong = 0;
      for (const PartitionInfo& p : topic->partitions) {
        auto ends = f.engine->ends(p.id);
        wrong += !ends || ends->durable_end != Offset(1);
      }
      CHECK(wrong == 0);
      for (size_t i = 0; i < topic->partitions.size(); i += topic->partitions.size() / 100)
        CHECK(f.read(topic->partitions[i].id) == std::to_string(topic->partitions[i].id.v) + "\n");
    };
    f.power_cut();
    f.options.pool_bytes = 4 << 20;
    f.start();
    check();
    f.stop();
    CHECK_FALSE(f.keys("objects/").empty());
    f.start();
    check();
    f.stop();
    f.files.wipe();
    f.start();
    check();
  }
}

TEST_CASE("an append says how long it waited for room") {
  Limits f;
  f.options.wal_max_bytes = 8 << 20;
  f.start();
  PartitionId p = f.make_partition("orders");
  CHECK(f.append(p, "at once\n")->waited.count() == 0);
  f.store->set_faults([](const MemoryObjectStore::Request&) {
    return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
  });
  const std::string text = std::string(50'000, 'x') + "\n";
  while (f.append(p, text)) {  // until one is not answered: the log is full
  }
  std::optional<Result<Appended>> waiting;
  ByteSpan piece = as_byte_span(text);
  f.engine->append_text(p, {&piece, 1}, LastLine::complete, {}, [&](Result<Appended> r) { waiting = std::move(r); });
  const MonotonicTime since = f.executor->now();
  f.store->set_faults({});
  while (!waiting) f.executor->run_next();
  REQUIRE(*waiting);
  CHECK((*waiting)->waited.count() > 0);
  CHECK((*waiting)->waited <= std::chrono::ceil<std::chrono::milliseconds>(f.executor->now() - since));
}

TEST_CASE("tiny synced appends, whose padding fills the log, are offloaded by their payload: no early and no tiny object") {
  Limits f;
  f.options.wal_max_bytes = 64 << 20;
  f.options.object_bytes = 256 << 10;
  f.start();
  PartitionId p = f.make_partition("orders");
  for (int i = 0; i < 1500; i++) REQUIRE(f.append(p, "tiny\n"));  // a block each: 6 MB of log, 0.2 MB of payload
  f.settle();
  CHECK(f.keys("objects/").empty());
  CHECK(f.status().find("\"offloaded\": 0") != std::string::npos);
  for (int i = 0; i < 1500; i++) REQUIRE(f.append(p, "tiny\n"));
  f.settle();
  std::vector<std::string> keys = f.keys("objects/");
  REQUIRE(keys.size() == 1);
  MutexLock l(f.bucket->mutex);
  CHECK(f.bucket->objects[keys[0]]->size() > 128 << 10);
}

TEST_CASE("tiny synced appends go on while the store is gone: what an offload holds in memory is bounded by chunks") {
  Limits f;
  f.options.wal_max_bytes = 64 << 20;
  f.options.object_bytes = 128 << 10;
  f.start();
  PartitionId p = f.make_partition("orders");
  f.store->set_faults([](const MemoryObjectStore::Request& r) {
    if (!r.key.starts_with("objects/")) return MemoryObjectStore::Fate{};
    return MemoryObjectStore::Fate{{}, Error{Errc::kUnavailable, 0, "503"}, MemoryObjectStore::Fate::Effect::none};
  });
  for (int i = 0; i < 3000; i++) REQUIRE(f.append(p, "tiny\n"));  // 12 MB of log, three times the pool
  CHECK(f.status().find("\"offload_failures\": 0") == std::string::npos);
  f.store->set_faults({});
  f.executor->advance(std::chrono::seconds(60));
  CHECK(f.keys("objects/").size() > 1);
  CHECK(f.read(p).size() == 3000 * 5);
}
