// The grammar of frames, byte for byte, and what the parts under server and client promise.
#include <cstring>

#include "ipc/door.h"
#include "ipc/ends_table.h"
#include "ipc/messages.h"
#include "ipc/slabs.h"

namespace topicfs::ipc {
namespace {

std::string hex(ByteSpan bytes) {
  std::string out;
  char two[3];
  for (auto b : bytes) out += (std::snprintf(two, sizeof two, "%02x", std::to_integer<unsigned>(b)), two);
  return out;
}

template <class Message>
std::vector<std::byte> framed(uint64_t request, const Message& message) {
  std::vector<std::byte> out;
  put_frame(out, request, message);
  return out;
}

TEST_CASE("frames look as the grammar says") {
  CHECK(hex(framed(0, Hello{})) == "06000000" "01" "000000" "0000000000000000" "54464331" "0400");
  AppendBatch append{PartitionId(7), {Ack::buffered, Wait::no}, 0x1000, 61};
  CHECK(hex(framed(0x0102030405060708, append)) ==
        "12000000" "09" "000000" "0807060504030201" "07000000" "00" "01" "0010000000000000" "3d000000");
  CHECK(hex(framed(3, Failed{{Errc::kNotFound, 2, "no", {{7, "x"}}}})) ==
        "18000000" "40" "000000" "0300000000000000" "01" "02000000" "02000000" "6e6f" "01000000" "07000000" "01000000" "78");
  CHECK(hex(framed(0, Durable{{PartitionId(1), PartitionId(2)}})) ==
        "0c000000" "84" "000000" "0000000000000000" "02000000" "01000000" "02000000");
}

TEST_CASE("a message survives the way there and back") {
  NewTopic topic{"orders", 3, {1, 2, 3}, {4, 5, 6}, {{"a", "b"}, {"c", ""}}};
  auto out = framed(1, CreateTopic{topic});
  auto back = decode<CreateTopic>(ByteSpan(out).subspan(kFrameHeaderBytes));
  REQUIRE(back);
  CHECK(back->topic.name == topic.name);
  CHECK(back->topic.settings == topic.settings);
  CHECK(back->topic.partition_ownership == topic.partition_ownership);
  ChangeSettings changes{Uuid{{1, 2, 3}}, {{"x", std::nullopt}, {"y", "1"}}};
  out = framed(1, changes);
  CHECK(decode<ChangeSettings>(ByteSpan(out).subspan(kFrameHeaderBytes))->changes == changes.changes);
}

TEST_CASE("every shortened message is refused, and so is one byte too many") {
  auto out = framed(1, CreateTopic{{"orders", 3, {1, 2, 3}, {4, 5, 6}, {{"a", "b"}}}});
  ByteSpan payload = ByteSpan(out).subspan(kFrameHeaderBytes);
  for (size_t size = 0; size < payload.size(); ++size) CHECK(!decode<CreateTopic>(payload.first(size)));
  out.push_back({});
  CHECK(!decode<CreateTopic>(ByteSpan(out).subspan(kFrameHeaderBytes)));
}

TEST_CASE("an impossible count is refused before memory is reserved for it") {
  std::byte huge[] = {std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{1}};
  CHECK(!decode<Release>(huge));
  CHECK(!decode<Durable>(huge));
}

TEST_CASE("a stream is cut into frames however it arrives") {
  std::vector<std::byte> stream;
  for (uint64_t i = 1; i <= 50; ++i) put_frame(stream, i, Text{std::string(i * 37, 'x')});
  for (size_t step : {1u, 7u, 1000u, 100000u}) {
    FrameBuffer buffer(1 << 20);
    uint64_t seen = 0;
    for (size_t at = 0; at < stream.size(); at += step) {
      auto part = ByteSpan(stream).subspan(at, std::min(step, stream.size() - at));
      std::memcpy(buffer.space().data(), part.data(), part.size());
      buffer.filled(part.size());
      for (auto frame = buffer.next(); frame.value(); frame = buffer.next())
        REQUIRE((*frame)->header.request == ++seen);
    }
    CHECK(seen == 50);
  }
}

TEST_CASE("slabs give runs that do not overlap, and take them back when the last owner goes") {
  std::vector<std::byte> memory(8 * Slabs::kSlabBytes);
  auto slabs = Slabs::create(memory, nullptr);
  auto a = slabs->allocate(1), b = slabs->allocate(3 * Slabs::kSlabBytes), c = slabs->allocate(4 * Slabs::kSlabBytes);
  REQUIRE((a && b && c));
  int room = 0;
  CHECK(!slabs->allocate(1, [&] { ++room; }));
  auto inside = slabs->owner_of(b.bytes.subspan(5000, 7000));
  CHECK(inside);
  CHECK(!slabs->owner_of({b.bytes.data(), b.bytes.size() + 1}));
  b = {};
  CHECK(room == 0);
  inside.reset();
  CHECK(room == 1);
  CHECK(slabs->free_bytes() == 3 * Slabs::kSlabBytes);
  CHECK(!slabs->allocate(4 * Slabs::kSlabBytes));
  a = {};
  auto d = slabs->allocate(4 * Slabs::kSlabBytes);
  CHECK(d.bytes.data() == memory.data());
}

TEST_CASE("slabs end with their last holder, so that a gateway that has gone leaves no memory behind") {
  auto memory = std::make_shared<std::vector<std::byte>>(8 * Slabs::kSlabBytes);
  std::weak_ptr<void> alive = memory;
  auto slabs = Slabs::create(MutableByteSpan(*memory), memory);
  memory.reset();
  auto buffer = slabs->allocate(1);
  slabs.reset();
  CHECK(!alive.expired());
  buffer = {};
  CHECK(alive.expired());
}

TEST_CASE("a reader of the ends table sees whole rows while they change") {
  Door door;
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; i < 3000; ++i) REQUIRE(door.append(id, "1234567\n"));
    stop = true;
  });
  int torn = 0;
  while (!stop) {
    auto ends = door.client->ends(id);
    torn += !ends || ends->text_end.v != ends->visible_end.v * 8;
  }
  writer.join();
  CHECK(torn == 0);
  door.engine.set_log_start(id, Offset(10));
  CHECK(door.client->ends(id)->log_start == Offset(10));
  CHECK(door.client->ends(PartitionId(kEndsTableRows)).error().code == Errc::kUnsupported);
}

}  // namespace
}  // namespace topicfs::ipc
