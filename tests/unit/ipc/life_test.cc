// Connections that misbehave, die, queue up, or run out of something.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ipc/door.h"
#include "ipc/messages.h"
#include "ipc/socket.h"

namespace topicfs::ipc {
namespace {

/// A gateway that sends what it likes.
struct Raw {
  UniqueFd socket;
  explicit Raw(const Door& door) : socket(std::move(*connect_in(door.directory.path))) {}
  void send_bytes(ByteSpan bytes) { REQUIRE(::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) > 0); }
  template <class Message>
  void send(const Message& message) {
    std::vector<std::byte> out;
    put_frame(out, 5, message);
    send_bytes(out);
  }
  /// The server ends the connection.
  bool is_cut_off() {
    for (;;) {
      pollfd fd{socket.get(), POLLIN, 0};
      if (::poll(&fd, 1, 10'000) <= 0) return false;
      char bytes[4096];
      if (::recv(socket.get(), bytes, sizeof bytes, 0) <= 0) return true;
    }
  }
};

std::vector<std::byte> header(uint32_t length, uint8_t verb, uint8_t zero) {
  std::vector<std::byte> out;
  Writer writer(out);
  writer(length, verb, zero, uint8_t{0}, uint8_t{0}, uint64_t{1});
  return out;
}

TEST_CASE("a gateway that breaks the rules loses its connection, and the next one is served") {
  Door door;
  SUBCASE("a verb before hello") { Raw raw(door); raw.send(Sync{PartitionId(1)}); CHECK(raw.is_cut_off()); }
  SUBCASE("another version") { Raw raw(door); raw.send(Hello{kMagic, kVersion + 1}); CHECK(raw.is_cut_off()); }
  SUBCASE("no verb") { Raw raw(door); raw.send_bytes(header(0, 60, 0)); CHECK(raw.is_cut_off()); }
  SUBCASE("padding") { Raw raw(door); raw.send_bytes(header(0, 1, 1)); CHECK(raw.is_cut_off()); }
  SUBCASE("too long") { Raw raw(door); raw.send_bytes(header(kMaxRequestBytes + 1, 1, 0)); CHECK(raw.is_cut_off()); }
  SUBCASE("a daemon's word") {
    Raw raw(door);
    raw.send(Hello{});
    raw.send(Ready{});
    CHECK(raw.is_cut_off());
  }
  SUBCASE("bytes outside of the arena") {
    Raw raw(door);
    raw.send(Hello{});
    raw.send(AppendBatch{PartitionId(1), {}, ~uint64_t{0} - 10, 100});
    CHECK(raw.is_cut_off());
  }
  SUBCASE("a pin that was never given") {
    Raw raw(door);
    raw.send(Hello{});
    raw.send(Release{{1}});
    CHECK(raw.is_cut_off());
  }
  SUBCASE("a good request, not answered yet, in front of a bad one") {
    Raw raw(door);
    std::vector<std::byte> out;
    put_frame(out, 0, Hello{});
    put_frame(out, 1, CreateTopic{{"made", 1, {}, {}, {}}});
    put_frame(out, 0, Release{{1}});
    raw.send_bytes(out);
    CHECK(raw.is_cut_off());
  }
  SUBCASE("an enumeration out of range") {
    Raw raw(door);
    raw.send(Hello{});
    auto bytes = header(17, static_cast<uint8_t>(Verb::delete_topic), 0);
    bytes.resize(bytes.size() + 17, std::byte{0xee});
    raw.send_bytes(bytes);
    CHECK(raw.is_cut_off());
  }
  door.connect();
  CHECK(door.append(door.create("t")->partitions[0].id, "x\n"));
}

TEST_CASE("the socket has mode 0600, and a path beyond sun_path works") {
  TempDir base;
  std::string deep = base.path;
  std::vector<std::string> made;
  for (int i = 0; i < 4; ++i) {
    deep += "/" + std::string(50, 'd');
    REQUIRE(::mkdir(deep.c_str(), 0700) == 0);
    made.push_back(deep);
  }
  testing::MemoryEngine engine;
  ServerOptions options;
  options.directory = deep;
  auto server = Server::start(engine, system_clock(), options);
  REQUIRE(server);
  struct stat status {};
  REQUIRE(::stat((deep + "/gateway.sock").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(Client::connect(deep, system_clock(), {}));
  server->reset();
  for (; !made.empty(); made.pop_back()) CHECK(::rmdir(made.back().c_str()) == 0);
}

TEST_CASE("one gateway at a time: the next one is greeted when the one before is gone") {
  Door door;
  door.connect();
  ClientOptions hurried;
  hurried.connect_timeout = std::chrono::seconds(1);
  CHECK(Client::connect(door.directory.path, system_clock(), std::move(hurried)).error().code == Errc::kTimedOut);
  auto next = std::async(std::launch::async, [&] { return Client::connect(door.directory.path, system_clock(), {}); });
  door.client.reset();
  CHECK(next.get());
  CHECK(Client::connect("/nonexistent", system_clock(), {}).error().code == Errc::kNotFound);
}

TEST_CASE("when the gateway dies its waiting appends are cancelled and nothing is written") {
  Door door;
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  door.engine.set_full(true);
  auto outcome = await<Appended>([&](auto d) {
    ByteSpan piece = as_byte_span("x\n");
    door.client->append_text(id, {&piece, 1}, LastLine::complete, {}, std::move(d));
    CHECK(eventually([&] { return door.engine.waiting_appends() == 1; }));
    door.client.reset();
  });
  CHECK(outcome.error().code == Errc::kClosed);
  CHECK(eventually([&] { return door.engine.waiting_appends() == 0; }));
  door.engine.set_full(false);
  door.connect();
  CHECK(door.client->ends(id)->visible_end == Offset(0));
}

TEST_CASE("when the daemon goes everything ends with kClosed and the gateway is told") {
  Door door;
  std::atomic<int> told = 0;
  ClientOptions options;
  options.on_closed = [&](const Error&) { ++told; };
  door.connect(std::move(options));
  auto id = door.create("t")->partitions[0].id;
  door.engine.set_full(true);
  auto outcome = await<Appended>([&](auto d) {
    ByteSpan piece = as_byte_span("x\n");
    door.client->append_text(id, {&piece, 1}, LastLine::complete, {}, std::move(d));
    CHECK(eventually([&] { return door.engine.waiting_appends() == 1; }));
    door.server.reset();
  });
  CHECK(outcome.error().code == Errc::kClosed);
  CHECK(eventually([&] { return told == 1; }));
  CHECK(door.append(id, "x\n").error().code == Errc::kClosed);
  CHECK(door.client->ends(id).error().code == Errc::kClosed);
}

TEST_CASE("while the arena is full appends queue in order, are cancelled, or refused") {
  ServerOptions small;
  small.arena_bytes = 32 << 10;
  Door door(small);
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  std::string line(10'000, 'x');
  line.back() = '\n';
  ByteSpan piece = as_byte_span(line);
  std::mutex mutex;
  std::vector<std::string> outcomes;
  auto append = [&](Wait wait) {
    return door.client->append_text(id, {&piece, 1}, LastLine::complete, {Ack::durable, wait}, [&](auto r) {
      std::lock_guard lock(mutex);
      outcomes.push_back(r ? std::to_string(r->base_offset.v) : std::string(name_of(r.error().code)));
    });
  };
  auto seen = [&] { std::lock_guard lock(mutex); return outcomes; };
  door.engine.set_full(true);
  append(Wait::yes);
  append(Wait::yes);
  auto third = append(Wait::yes);
  append(Wait::yes);
  append(Wait::no);
  CHECK(seen() == std::vector{std::string(name_of(Errc::kWouldBlock))});
  door.client->cancel(third);
  CHECK(seen().back() == name_of(Errc::kCancelled));
  CHECK(eventually([&] { return door.engine.waiting_appends() == 1; }));
  door.engine.set_full(false);
  CHECK(eventually([&] { return seen().size() == 5; }));
  auto all = seen();
  CHECK(std::vector(all.begin() + 2, all.end()) == std::vector<std::string>{"0", "1", "2"});
  CHECK(door.append(id, std::string(20 << 10, 'y')).error().code == Errc::kTooLarge);
}

TEST_CASE("a batch that stands in the arena is appended from there, and room is announced") {
  ServerOptions small;
  small.arena_bytes = 64 << 10;
  Door door(small);
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  std::string_view values[] = {"one"};
  auto batch = testing::build_batch(values, WallMilliseconds(1));
  auto buffer = door.client->allocate_buffer(door.client->max_buffer_bytes(), nullptr);
  REQUIRE(buffer);
  std::atomic<int> room = 0;
  CHECK(!door.client->allocate_buffer(1, [&] { ++room; }));
  auto place = buffer.bytes.subspan(5000, batch.size());
  std::copy(batch.begin(), batch.end(), place.begin());
  auto outcome = await<Appended>([&](auto d) {
    door.client->append_batch(id, place, {}, std::move(d));
    buffer = {};
  });
  CHECK(outcome);
  CHECK(room == 1);
  CHECK(all_of(door.read(id)->text) == "one\n");
}

std::string line_of(int i) { return std::string(60'000, static_cast<char>('a' + i)) + "\n"; }

TEST_CASE("what is fetched is lent from the pool up to the budget, copied beyond it, and given back") {
  Door door;
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  constexpr int kBatches = 12;
  for (int i = 0; i < kBatches; ++i) REQUIRE(door.append(id, line_of(i)));
  std::vector<Fetched> held;
  for (int i = 0; i < kBatches; ++i) held.push_back(std::move(*door.fetch(id, i, 1)));
  auto status = door.server->status();
  CHECK(status.lent.pins == kBatches);
  CHECK(status.lent.pool_bytes > 0);
  CHECK(status.lent.pool_bytes <= Door::kPoolBytes / 4);
  CHECK(door.engine.live_pins() < kBatches);
  CHECK(door.engine.live_pins() > 0);
  for (int i = 0; i < kBatches; ++i)
    CHECK(all_of(held[static_cast<size_t>(i)].batches).find(line_of(i).substr(0, 59'000)) != std::string::npos);
  held.clear();
  CHECK(eventually([&] { return door.server->status().lent.pins == 0; }));
  CHECK(door.engine.live_pins() == 0);
  CHECK(door.server->status().lent.pool_bytes == 0);
}

TEST_CASE("when the memory for copies is full an answer waits until something is released") {
  ServerOptions small;
  small.bounce_bytes = 160 << 10;
  small.pin_budget_percent = 0;
  small.room_patience = std::chrono::seconds(60);
  Door door(small);
  door.connect();
  auto id = door.create("t")->partitions[0].id;
  for (int i = 0; i < 3; ++i) REQUIRE(door.append(id, line_of(i)));
  auto one = door.fetch(id, 0, 1), two = door.fetch(id, 1, 1);
  REQUIRE((one && two));
  auto three = await<Fetched>([&](auto d) {
    door.client->fetch(id, Offset(2), 1, std::move(d));
    CHECK(eventually([&] { return door.server->status().in_flight == 1; }));
    CHECK(door.server->status().lent.pins == 2);
    one = fail(Errc::kClosed, "");
  });
  REQUIRE(three);
  CHECK(all_of(three->batches).find(line_of(2).substr(0, 59'000)) != std::string::npos);
  REQUIRE(door.append(id, std::string(200 << 10, 'z') + "\n"));
  CHECK(door.fetch(id, 3, 1).error().code == Errc::kTooLarge);
}

TEST_CASE("an answer that finds no room for too long is refused, and one that needs none passes it") {
  ServerOptions small;
  small.bounce_bytes = 160 << 10;
  small.pin_budget_percent = 0;
  Door door(small);
  door.connect();
  auto id = door.create("t")->partitions[0].id, tiny = door.create("tiny")->partitions[0].id;
  for (int i = 0; i < 3; ++i) REQUIRE(door.append(id, line_of(i)));
  REQUIRE(door.append(tiny, "x\n"));
  auto one = door.fetch(id, 0, 1), two = door.fetch(id, 1, 1);
  REQUIRE((one && two));
  auto refused = await<Fetched>([&](auto d) {
    door.client->fetch(id, Offset(2), 1, std::move(d));
    CHECK(eventually([&] { return door.server->status().in_flight == 1; }));
    CHECK(door.fetch(tiny, 0, 1));
  });
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::kFull);
  one = fail(Errc::kClosed, "");
  CHECK(door.fetch(id, 2, 1));
}

TEST_CASE("who holds bytes for too long loses its connection, and they stay as they are") {
  ServerOptions strict;
  strict.pin_age_max = std::chrono::seconds(0);
  Door door(strict);
  std::atomic<int> closed = 0;
  ClientOptions options;
  options.on_closed = [&](const Error&) { ++closed; };
  door.connect(std::move(options));
  auto id = door.create("t")->partitions[0].id;
  REQUIRE(door.append(id, line_of(0)));
  auto held = door.fetch(id);
  REQUIRE(held);
  CHECK(eventually([&] { return closed == 1; }));
  CHECK(all_of(held->batches).size() > 60'000);
}

/// A gateway process that fetches, closes its connection, and goes on living with what it has mapped.
[[noreturn]] void hold_and_live(const std::string& directory, PartitionId id, int start, int tell) {
  char byte = 0;
  if (::read(start, &byte, 1) != 1) ::_exit(1);
  auto client = Client::connect(directory, system_clock(), {});
  if (!client) ::_exit(2);
  auto fetched = await<Fetched>([&](auto d) { (*client)->fetch(id, Offset(0), 1, std::move(d)); });
  if (!fetched) ::_exit(3);
  client->reset();
  if (::write(tell, &byte, 1) != 1) ::_exit(4);
  for (;;) ::pause();
}

TEST_CASE("what was lent is reused only when the gateway's process is dead") {
  int start[2], tell[2];
  REQUIRE(::pipe2(start, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(tell, O_CLOEXEC) == 0);
  UniqueFd fds[] = {UniqueFd(start[0]), UniqueFd(start[1]), UniqueFd(tell[0]), UniqueFd(tell[1])};
  TempDir directory;
  SharedMemory pool = std::move(*SharedMemory::create("pool", 1 << 20, SharedMemory::Writers::anyone));
  testing::MemoryEngine engine({.executor = nullptr, .clock = nullptr, .region = pool.bytes()});
  PartitionId id;
  engine.create_topic({"t", 1, {}, {}, {}}, [&](Result<TopicPtr> t) { id = (*t)->partitions[0].id; });
  auto line = line_of(0);
  ByteSpan piece = as_byte_span(line);
  engine.append_text(id, {&piece, 1}, LastLine::complete, {}, [](Result<Appended>) {});
  pid_t child = ::fork();  // while this process has one thread
  REQUIRE(child >= 0);
  if (child == 0) hold_and_live(directory.path, id, start[0], tell[1]);

  ServerOptions options;
  options.directory = directory.path;
  options.pool = {pool.bytes().data(), pool.bytes().size(), 64 << 10, pool.fd()};
  auto server = Server::start(engine, system_clock(), options);
  REQUIRE(server);
  char byte = 0;
  REQUIRE(::write(start[1], &byte, 1) == 1);
  REQUIRE(::read(tell[0], &byte, 1) == 1);
  CHECK(eventually([&] { return !(*server)->status().connected; }));
  CHECK(engine.live_pins() == 1);
  CHECK((*server)->status().gateway_pid == child);
  ClientOptions hurried;
  hurried.connect_timeout = std::chrono::seconds(1);
  CHECK(!Client::connect(directory.path, system_clock(), std::move(hurried)));
  REQUIRE(::kill(child, SIGKILL) == 0);
  CHECK(eventually([&] { return engine.live_pins() == 0; }));
  CHECK(Client::connect(directory.path, system_clock(), {}));
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("the mirror ends like the catalog after changes on both sides at once") {
  Door door;
  door.connect();
  auto churn = [&](Engine& engine, const std::string& prefix) {
    for (int i = 0; i < 100; ++i) {
      auto name = prefix + std::to_string(i % 7);
      if (auto topic = engine.find_topic(name); topic && i % 3 == 0)
        (void)await<void>([&](auto d) { engine.delete_topic(topic->id, OnlyEmpty::no, std::move(d)); });
      else if (topic)
        (void)await<TopicPtr>([&](auto d) {
          engine.add_partitions(topic->id, static_cast<int32_t>(topic->partitions.size()) + 1, {}, std::move(d));
        });
      else
        (void)await<TopicPtr>([&](auto d) { engine.create_topic({name, 1, {}, {}, {}}, std::move(d)); });
    }
  };
  std::thread a([&] { churn(door.engine, "x"); }), b([&] { churn(*door.client, "x"); }), c([&] { churn(door.engine, "y"); });
  a.join(), b.join(), c.join();
  CHECK(eventually([&] {
    auto there = door.engine.list_topics(), here = door.client->list_topics();
    return std::equal(there.begin(), there.end(), here.begin(), here.end(), [](auto& t, auto& h) {
      return t->id == h->id && t->name == h->name && t->partitions.size() == h->partitions.size();
    });
  }));
}

}  // namespace
}  // namespace topicfs::ipc
