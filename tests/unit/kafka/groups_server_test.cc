// Consumer groups over real sockets: members on connections of both loops.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "base/random.h"
#include "kafka/server/loop.h"
#include "kafka/server/server.h"
#include "support/memory_engine.h"
#include "unit/kafka/socket_client.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

constexpr int kMembers = 4, kRounds = 30;

using Client = SocketClient;

struct Service {
  Service() {
    commits.start();
    ServerOptions options;
    options.port = 0;
    options.gateway.groups.initial_rebalance_delay = std::chrono::milliseconds(0);
    server = std::move(*Server::start(engine, buffers, system_clock(), system_random(), std::move(options)));
  }
  ~Service() {
    server.reset();
    commits.stop();
  }
  Loop commits{system_clock()};
  testing::MemoryEngine engine{testing::MemoryEngineOptions{&commits, nullptr}};
  HeapReceiveBuffers buffers{64 << 20};
  std::unique_ptr<Server> server;
};

JoinGroupRequest join_of(std::string member) {
  JoinGroupRequest r;
  r.group_id = "g", r.member_id = std::move(member);
  r.session_timeout_ms = 30'000, r.rebalance_timeout_ms = 30'000;
  r.protocol_type = "consumer";
  r.protocols.push_back({"range", as_byte_span("subscription")});
  return r;
}

SyncGroupRequest sync_of(const JoinGroupResponse& joined) {
  SyncGroupRequest r;
  r.group_id = "g", r.member_id = joined.member_id, r.generation_id = joined.generation_id;
  for (const auto& m : joined.members) r.assignments.push_back({m.member_id, as_byte_span(m.member_id)});
  return r;
}

/// A member that joins, asks for its share and sends heartbeats, and joins again when it is told to. Answers how often it
/// had a share that was its own.
int consume(uint16_t port, std::atomic<int>& wrong) {
  Client client(port);
  std::string id;
  int shares = 0;
  for (int i = 0; i < kRounds; i++) {
    auto joined = client.ask<JoinGroupResponse>(join_of(id), 3);
    id = joined.error_code == 0 ? joined.member_id : "";
    if (joined.error_code != 0) continue;
    auto synced = client.ask<SyncGroupResponse>(sync_of(joined), 2);
    if (synced.error_code != 0) continue;
    std::string share;
    for (ByteSpan piece : synced.assignment.pieces) share += as_text(piece);
    if (share == id) shares++;
    else wrong++;
    HeartbeatRequest beat;
    beat.group_id = "g", beat.member_id = id, beat.generation_id = joined.generation_id;
    for (int n = 0; n < 3; n++)
      if (client.ask<HeartbeatResponse>(beat, 2).error_code != 0) break;
  }
  LeaveGroupRequest leave;
  leave.group_id = "g", leave.member_id = id;
  client.ask<LeaveGroupResponse>(leave, 2);
  return shares;
}

}  // namespace

TEST_CASE("members on several connections and both loops rebalance again and again, and each gets its own share") {
  Service service;
  std::atomic<int> shares = 0, wrong = 0;
  std::vector<std::thread> members;
  for (int i = 0; i < kMembers; i++)
    members.emplace_back([&] { shares += consume(service.server->port(), wrong); });
  for (auto& m : members) m.join();
  CHECK(wrong == 0);
  CHECK(shares > kMembers);
  auto groups = Client(service.server->port()).ask<DescribeGroupsResponse>(DescribeGroupsRequest{{"g"}, false}, 4).groups;
  CHECK(groups.at(0).state == "Empty");
}

TEST_CASE("a join that is parked goes with its connection, and holds no stop up") {
  Service service;
  Client a(service.server->port());
  auto first = a.ask<JoinGroupResponse>(join_of(""), 3);
  REQUIRE(first.error_code == 0);
  {
    Client b(service.server->port());
    b.send(join_of(""), 3);
    HeartbeatRequest beat;
    beat.group_id = "g", beat.member_id = first.member_id, beat.generation_id = first.generation_id;
    while (a.ask<HeartbeatResponse>(beat, 2).error_code != 27) std::this_thread::yield();  // it is parked now
  }
  while (service.server->connections() > 1) std::this_thread::yield();
  auto again = a.ask<JoinGroupResponse>(join_of(first.member_id), 3);
  CHECK(again.members.size() == 2);  // the member itself lives until its session ends
  Client c(service.server->port());
  c.send(join_of(""), 3);
  auto before = system_clock().now();
  service.server->stop();
  CHECK(system_clock().now() - before < Server::kStopTimeout);
}
