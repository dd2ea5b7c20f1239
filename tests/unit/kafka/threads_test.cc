// Everything that has threads, put together as in the two programs, for the thread sanitizer: the engine, the daemon's end
// of the socket, the gateway's, and the gateway's server, with clients of every kind at once.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "ipc/client.h"
#include "ipc/server.h"
#include "kafka/server/arena_buffers.h"
#include "kafka/server/server.h"
#include "object/dir/dir_store.h"
#include "record/batch.h"
#include "support/batches.h"
#include "support/real_engine.h"
#include "support/seeded_random.h"
#include "support/temporary_directory.h"
#include "unit/kafka/socket_client.h"

using namespace topicfs;
using namespace topicfs::kafka;
using topicfs::testing::encode_batch;

namespace {

constexpr int kProducers = 4, kPartitions = 3, kRecords = 120;
constexpr size_t kMaxRequestBytes = 1 << 20;

/// Both programs in one process.
struct Both {
  Both() : engine(small_engine_in(directory.path(), 4 << 20), std::move(*DirStore::open(directory.path() + "/store"))) {
    engine.make_topic("t", kPartitions);
    ChunkPool& pool = engine->pool();
    ipc::ServerOptions of_door;
    of_door.directory = directory.path() + "/data";
    of_door.pool = {pool.base(), pool.size_bytes(), pool.chunk_bytes(), pool.fd()};
    door = std::move(*ipc::Server::start(*engine.operator->(), system_clock(), of_door));
    client = std::move(*ipc::Client::connect(of_door.directory, system_clock(), {}));
    buffers = std::make_unique<ArenaBuffers>(*client, kMaxRequestBytes);
    ServerOptions of_gateway;
    of_gateway.port = 0, of_gateway.max_request_bytes = kMaxRequestBytes;
    gateway = std::move(*Server::start(*client, *buffers, system_clock(), system_random(), std::move(of_gateway)));
  }
  ~Both() {
    gateway.reset();
    client.reset();
    door.reset();
  }
  uint16_t port() const { return gateway->port(); }

  TemporaryDirectory directory;
  RealEngine engine;
  std::unique_ptr<ipc::Server> door;
  std::unique_ptr<ipc::Client> client;
  std::unique_ptr<ArenaBuffers> buffers;
  std::unique_ptr<Server> gateway;
};

/// Where each value was put, by the answers.
using Places = std::map<std::pair<int32_t, int64_t>, std::string>;

std::string value_of(int producer, int n) {
  return "value " + std::to_string(producer) + "/" + std::to_string(n) + std::string(n % 20 == 0 ? 60'000 : 300, 'x');
}

Places produce_all(uint16_t port, int producer) {
  SocketClient client(port);
  Places places;
  for (int n = 0; n < kRecords; n++) {
    const std::string value = value_of(producer, n);
    const std::string batch = encode_batch({{.value = value}});
    ProduceRequest request;
    request.acks = -1;
    request.topics.push_back({"t", {{n % kPartitions, as_byte_span(batch)}}});
    auto response = client.ask<ProduceResponse>(request, 9);
    const auto& answer = response.topics.at(0).partitions.at(0);
    MUST(answer.error_code == 0);
    places[{answer.index, answer.base_offset}] = value;
  }
  return places;
}

FetchRequest fetch_of(int32_t partition, int64_t offset) {
  FetchRequest request;
  request.max_wait_ms = 20, request.min_bytes = 1, request.max_bytes = 1 << 20;
  request.topics.push_back({"t", {}, {}});
  request.topics[0].partitions.push_back({partition, -1, offset, -1, -1, 1 << 20});
  return request;
}

/// Reads a partition from its beginning until `records` have come; each is a batch of its own.
Places consume_all(uint16_t port, int32_t partition, int64_t records) {
  SocketClient client(port);
  Places places;
  for (int64_t next = 0; next < records;) {
    auto response = client.ask<FetchResponse>(fetch_of(partition, next), 11);
    std::string bytes;
    for (const auto& answer : response.topics.at(0).partitions) {
      MUST(answer.error_code == 0);
      if (answer.records)
        for (ByteSpan piece : answer.records->pieces) bytes += as_text(piece);
    }
    for (size_t at = 0; at < bytes.size();) {
      auto header = BatchHeader::parse(as_byte_span(bytes).subspan(at));
      MUST(header && header->base_offset.v >= next);
      const std::string batch = bytes.substr(at, header->size_bytes());
      const size_t begin = batch.find("value "), end = batch.rfind('x');
      places[{partition, header->base_offset.v}] = batch.substr(begin, end + 1 - begin);
      next = header->base_offset.v + header->record_count;
      at += header->size_bytes();
    }
  }
  return places;
}

/// Nonsense, halves of requests, answers that nobody waits for.
void annoy(uint16_t port, const std::atomic<bool>& going_on) {
  testing::SeededRandom random(7);
  for (int i = 0; going_on; i++) {
    SocketClient client(port);
    std::string nonsense(16, '\0');
    for (char& c : nonsense) c = static_cast<char>(random.next());
    if (i % 3 == 0) client.send_bytes(nonsense);
    else if (i % 3 == 1) client.send_bytes(std::string("\0\0\x40\0\0\0\0\x07", 8));  // of a Produce
    else client.send(fetch_of(i % kPartitions, 0), 11);
  }
}

}  // namespace

TEST_CASE("producers, consumers and hostile clients at once: every record is where its answer said") {
  set_up_logging("test", LogLevel::error);
  Both both;
  std::atomic<bool> annoying = true;
  std::thread annoyer([&] { annoy(both.port(), annoying); });
  Places produced, consumed;
  std::vector<Places> of_producer(kProducers), of_consumer(kPartitions);
  std::vector<std::thread> threads;
  for (int i = 0; i < kProducers; i++)
    threads.emplace_back([&, i] { of_producer[static_cast<size_t>(i)] = produce_all(both.port(), i); });
  for (int i = 0; i < kPartitions; i++)
    threads.emplace_back([&, i] {
      of_consumer[static_cast<size_t>(i)] = consume_all(both.port(), i, int64_t{kProducers} * kRecords / kPartitions);
    });
  for (auto& t : threads) t.join();
  annoying = false;
  annoyer.join();
  for (auto& places : of_producer) produced.merge(places);
  for (auto& places : of_consumer) consumed.merge(places);
  CHECK(produced.size() == size_t{kProducers} * kRecords);
  CHECK(produced == consumed);
}
