// Door: a memory engine, a server and a client on a real socket in one process, for the tests of both.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <future>
#include <optional>
#include <string>

#include "ipc/client.h"
#include "ipc/server.h"
#include "ipc/shared_memory.h"
#include "support/memory_batch.h"
#include "support/memory_engine.h"

namespace topicfs::ipc {

inline constexpr std::chrono::seconds kPatience{10};  // only a broken build waits so long

struct TempDir {
  std::string path;
  TempDir() {
    char name[] = "/tmp/topicfs-ipc-XXXXXX";
    REQUIRE(::mkdtemp(name));
    path = name;
  }
  ~TempDir() { ::rmdir(path.c_str()); }
};

/// The outcome of `start(completion)`, which may come from another thread.
template <class T, class Start>
Result<T> await(Start start) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  start(Completion<T>([promise](Result<T> r) { promise->set_value(std::move(r)); }));
  if (future.wait_for(kPatience) != std::future_status::ready) return fail(Errc::kTimedOut, "the test lost patience");
  return future.get();
}

/// Waits until `condition`, which another thread brings about.
template <class Condition>
bool eventually(Condition condition) {
  auto end = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

inline std::string all_of(const Bytes& bytes) {
  std::string out;
  for (auto piece : bytes.pieces) out += as_text(piece);
  return out;
}

struct Door {
  static constexpr size_t kPoolBytes = 1 << 20;
  static constexpr uint32_t kChunkBytes = 64 << 10;

  TempDir directory;
  SharedMemory pool = std::move(*SharedMemory::create("pool", kPoolBytes, SharedMemory::Writers::anyone));
  testing::MemoryEngine engine{{.executor = nullptr, .clock = nullptr, .region = pool.bytes()}};
  ServerOptions options;
  std::unique_ptr<Server> server;
  std::unique_ptr<Client> client;

  explicit Door(ServerOptions o = {}) : options(std::move(o)) {
    options.directory = directory.path;
    options.pool = {pool.bytes().data(), pool.bytes().size(), kChunkBytes, pool.fd()};
    auto started = Server::start(engine, system_clock(), options);
    REQUIRE_MESSAGE(started, started.error().message());
    server = std::move(*started);
  }

  void connect(ClientOptions o = {}) {
    auto connected = Client::connect(directory.path, system_clock(), std::move(o));
    REQUIRE_MESSAGE(connected, connected.error().message());
    client = std::move(*connected);
  }

  TopicPtr create(const std::string& name, int32_t partitions = 1) {
    auto topic = await<TopicPtr>([&](auto done) {
      client->create_topic({name, partitions, {1, 2, 0750}, {3, 4, 0640}, {}}, std::move(done));
    });
    REQUIRE_MESSAGE(topic, topic.error().message());
    return *topic;
  }

  Result<Appended> append(PartitionId id, std::string_view text, AppendOptions how = {}) {
    return await<Appended>([&](auto done) {
      ByteSpan piece = as_byte_span(text);
      client->append_text(id, {&piece, 1}, LastLine::complete, how, std::move(done));
    });
  }
  Result<TextRead> read(PartitionId id, int64_t from = 0, size_t max = 1 << 20) {
    return await<TextRead>([&](auto done) { client->read_text(id, TextPosition(from), max, std::move(done)); });
  }
  Result<Fetched> fetch(PartitionId id, int64_t from = 0, size_t max = 1 << 20) {
    return await<Fetched>([&](auto done) { client->fetch(id, Offset(from), max, std::move(done)); });
  }
};

}  // namespace topicfs::ipc
