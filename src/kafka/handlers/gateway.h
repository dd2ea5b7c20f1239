// Gateway: what all handlers share. It holds no data: topics and records are the engine's.
#pragma once

#include <string>

#include <topicfs/engine.h>

#include "base/clock.h"
#include "base/random.h"
#include "kafka/handlers/budget.h"
#include "kafka/handlers/durable_watch.h"
#include "kafka/handlers/fetch_sessions.h"
#include "kafka/handlers/group_service.h"

namespace topicfs::kafka {

/// There is one broker, and its leadership never moves.
inline constexpr int32_t kNodeId = 0;
/// The most that one Fetch answers with (Kafka's fetch.max.bytes).
inline constexpr int32_t kMaxFetchBytes = 55 << 20;
/// What is copied of responses for clients that are slow to take them; when half of it is used, one Fetch answers with
/// less, so that many slow consumers all get on.
inline constexpr size_t kSlowReaderBytes = 128 << 20;
inline constexpr int32_t kMaxFetchBytesBesideSlowReaders = 1 << 20;
/// What clients may do where nothing is forbidden, as bits (KIP-430).
inline constexpr int32_t kAllTopicOperations = 0x0df8;
inline constexpr int32_t kAllClusterOperations = 0x1fa0;
inline constexpr int32_t kAllGroupOperations = 0x0d48;
inline constexpr std::string_view kNoAccessControl =
    "there are no access control lists: whoever reaches the address may do everything";

struct GatewaySettings {
  std::string data_dir;  ///< for clients that ask where the data is; empty: not told
  /// Where clients are told to connect; empty and 0: the address that they came to.
  std::string advertised_host;
  uint16_t advertised_port = 0;
  bool auto_create_topics = true;
  int32_t default_partitions = 1;
  size_t max_fetch_sessions = 1000;
  GroupSettings groups;
  uint32_t uid = 0, gid = 0;  ///< owner of topics that clients make
};

struct Node {
  std::string host;
  int32_t port = 0;
};
struct Peer;

/// Kafka's form of an id: 22 characters of base64url.
std::string to_base64url(const Uuid& id);

class Gateway {
 public:
  /// What is passed by reference outlives the gateway. Groups are coordinated on `executor`, once they are loaded.
  Gateway(Engine& the_engine, GatewaySettings the_options, Clock& the_clock, Random& random,
          std::shared_ptr<Executor> executor);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// This broker, as a client at `peer` reaches it.
  Node node_for(const Peer& peer) const;
  /// A topic that a client makes: its files belong to who runs the gateway, as those of mkdir belong to its caller.
  NewTopic new_topic(std::string name, int32_t partitions) const;
  /// True if a topic exists whose name differs from `name` only in '.' against '_'.
  bool name_collides(std::string_view name) const;

  /// Of all partitions.
  int32_t leader_epoch() const { return engine.leader_epoch(); }

  Engine& engine;
  const GatewaySettings options;
  Clock& clock;
  const std::string cluster_id;
  DurableWatch durable;
  Budget slow_readers{kSlowReaderBytes};
  FetchSessions sessions;
  const std::shared_ptr<GroupService> groups;  ///< held for moments by completions of the engine too
};

}  // namespace topicfs::kafka
