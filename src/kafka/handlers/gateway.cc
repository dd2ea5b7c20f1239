#include "kafka/handlers/gateway.h"

#include <algorithm>

#include "kafka/handlers/exchange.h"

namespace topicfs::kafka {

std::string to_base64url(const Uuid& id) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  for (size_t bit = 0; bit < 8 * id.bytes.size(); bit += 6) {
    size_t byte = bit / 8, shift = bit % 8;
    unsigned two = static_cast<unsigned>(id.bytes[byte]) << 8;
    if (byte + 1 < id.bytes.size()) two |= id.bytes[byte + 1];
    text += kDigits[(two >> (10 - shift)) & 63];
  }
  return text;
}

Gateway::Gateway(Engine& the_engine, GatewaySettings the_options, Clock& the_clock, Random& random,
                 std::shared_ptr<Executor> executor)
    : engine(the_engine),
      options(std::move(the_options)),
      clock(the_clock),
      cluster_id(to_base64url(engine.store_id())),
      sessions(options.max_fetch_sessions, clock),
      groups(std::make_shared<GroupService>(engine, options.groups, clock, random, std::move(executor))) {
  engine.add_listener(&durable);
}

Gateway::~Gateway() { engine.remove_listener(&durable); }

Node Gateway::node_for(const Peer& peer) const {
  return {options.advertised_host.empty() ? peer.local_host : options.advertised_host,
          options.advertised_port == 0 ? peer.local_port : options.advertised_port};
}

NewTopic Gateway::new_topic(std::string name, int32_t partitions) const {
  NewTopic topic;
  topic.name = std::move(name);
  topic.partitions = partitions;
  for (Ownership* owner : {&topic.ownership, &topic.partition_ownership}) owner->uid = options.uid, owner->gid = options.gid;
  return topic;
}

bool Gateway::name_collides(std::string_view name) const {
  if (name.find_first_of("._") == std::string_view::npos) return false;
  auto topics = engine.list_topics();
  return std::any_of(topics.begin(), topics.end(), [&](const TopicPtr& topic) {
    return topic->name != name && topic_names_collide(topic->name, name);
  });
}

}  // namespace topicfs::kafka
