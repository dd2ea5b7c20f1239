// Random clients against the coordinator of groups, with saves that are late, fail or are lost with the process. What is
// checked is what clients rely on: a share that was handed out is the one that is saved for that member and
// generation; no one waits for ever; and clients that follow the protocol come to one stable generation.
#include <doctest/doctest.h>

#include <set>

#include "unit/kafka/group_kit.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

constexpr int kRounds = 150, kSteps = 400;

/// A consumer: it joins, asks for its share, sends heartbeats, and does as it is told.
struct Client {
  enum class Doing { nothing, joining, syncing, consuming };
  std::optional<std::string> instance;
  std::string id, metadata;
  int32_t generation = -1;
  bool leads = false;
  Doing doing = Doing::nothing;
  Ticket ticket = 0;
  std::string share;
};

class Model {
 public:
  explicit Model(uint64_t seed) : numbers_(seed), kit_(settings()) {
    kit_.saves_by_itself = false;
    clients_.resize(2 + below(5));
    for (size_t i = 0; i < clients_.size(); i++)
      if (below(3) == 0) clients_[i].instance = "instance " + std::to_string(i);
  }

  void run() {
    for (int i = 0; i < kSteps; i++) {
      step();
      listen();
    }
    settle();
    check_settled();
    fall_silent();
  }

 private:
  uint64_t below(uint64_t n) { return numbers_.next() % n; }
  GroupSettings settings() {
    GroupSettings s;
    s.initial_rebalance_delay = milliseconds(below(2) * 3000);
    s.max_members = 5;
    return s;
  }

  void step() {
    Client& c = clients_[below(clients_.size())];
    switch (below(16)) {
      case 0: case 1: case 2: return kit_.advance(milliseconds(below(4000)));
      case 3: return kit_.advance(milliseconds(below(30'000)));
      case 4: case 5: case 6: case 7: return save(GroupError::none);
      case 8: return save(below(4) == 0 ? GroupError::not_coordinator : GroupError::none);
      case 9: if (below(4) == 0) restart(); return;
      case 10: return forget(c);  // its process dies
      case 11: if (below(4) == 0) leave(c); return;
      case 12: c.metadata = std::to_string(below(3)); return;
      case 13: if (c.doing == Client::Doing::consuming) join(c); return;
      default: return act(c);
    }
  }

  /// What a client does by itself, now and then.
  void act(Client& c) {
    if (c.doing == Client::Doing::nothing) return join(c);
    if (c.doing != Client::Doing::consuming) return;
    GroupError error = below(2) == 0 ? kit_.beat(c.id, c.generation, c.instance)
                                     : kit_.groups->check_commit("g", {c.id, c.instance}, c.generation, kit_.now);
    if (error == GroupError::none || error == GroupError::coordinator_loading) return;
    if (error != GroupError::rebalance_in_progress) c.id.clear();
    join(c);
  }

  void join(Client& c) {
    JoinRequest r = kit_.request(c.id, c.metadata);
    r.instance_id = c.instance;
    r.must_know_its_id = below(4) != 0;
    r.can_skip_assignment = true;
    r.rebalance_timeout = seconds(5 + below(20));
    r.session_timeout = seconds(6 + below(20));
    c.doing = Client::Doing::joining;
    c.ticket = kit_.join(r);
  }

  void sync(Client& c, const JoinResult& joined) {
    std::vector<MemberAssignment> shares;
    if (c.leads && !joined.skip_assignment)
      for (const JoinedMember& m : joined.members) shares.push_back({m.id, make_blob(std::to_string(++last_share_))});
    c.doing = Client::Doing::syncing;
    SyncRequest r;
    r.group = "g", r.member = {c.id, c.instance}, r.generation = c.generation, r.assignments = std::move(shares);
    c.ticket = ++kit_.last_ticket;
    Actions actions;
    kit_.groups->sync(c.ticket, r, kit_.now, actions);
    kit_.take(actions);
  }

  /// Clients take their answers, and go on as consumers do.
  void listen() {
    for (Client& c : clients_) {
      while (c.doing == Client::Doing::joining && kit_.is_joined(c.ticket)) on_join(c, kit_.joined.at(c.ticket));
      if (c.doing == Client::Doing::syncing && kit_.is_synced(c.ticket)) on_sync(c, kit_.synced.at(c.ticket));
    }
  }

  void on_join(Client& c, const JoinResult joined) {
    c.doing = Client::Doing::nothing;
    if (joined.error == GroupError::member_id_required) {
      c.id = joined.member_id;
      return join(c);
    }
    if (joined.error != GroupError::none) return c.id.clear();
    REQUIRE_FALSE(joined.member_id.empty());
    REQUIRE((c.id.empty() || c.id == joined.member_id));
    // An answer in the generation that is saved is of a member that is saved: a restart finds it.
    const GroupState& saved = kit_.saved["g"];
    bool is_saved = std::any_of(saved.members.begin(), saved.members.end(), [&](auto& m) { return m.id == joined.member_id; });
    REQUIRE((joined.generation != saved.generation || is_saved));
    c.id = joined.member_id, c.generation = joined.generation;
    c.leads = joined.leader == c.id;
    REQUIRE(joined.members.empty() == !c.leads);
    sync(c, joined);
  }

  void on_sync(Client& c, const SyncResult& synced) {
    c.doing = Client::Doing::nothing;
    if (synced.error != GroupError::none) {
      if (synced.error != GroupError::rebalance_in_progress) c.id.clear();
      return;
    }
    const GroupState& saved = kit_.saved.at("g");
    auto member = std::find_if(saved.members.begin(), saved.members.end(), [&](auto& m) { return m.id == c.id; });
    REQUIRE(member != saved.members.end());
    REQUIRE(saved.generation == c.generation);
    REQUIRE(member->assignment == *synced.assignment);
    c.share = *synced.assignment;
    c.doing = Client::Doing::consuming;
  }

  void leave(Client& c) {
    kit_.leave(c.id, c.instance);
    forget(c);
  }
  void forget(Client& c) {
    c.id.clear(), c.generation = -1, c.doing = Client::Doing::nothing, c.leads = false;
  }

  void save(GroupError error) {
    REQUIRE(kit_.unsaved.size() <= 1);
    kit_.save_error = error;
    kit_.save_all();
    kit_.save_error = GroupError::none;
  }

  /// Answers are lost; a save may have reached the disk or not.
  void restart() {
    if (below(2) == 0)
      for (auto& s : kit_.unsaved) kit_.saved[s.group] = s.state;
    kit_.restart();
    lost_until_ = kit_.last_ticket;
    for (Client& c : clients_)
      if (c.doing != Client::Doing::consuming) c.doing = Client::Doing::nothing;
  }

  /// Nobody dies any more, and everybody does what a client does, every second.
  void settle() {
    kit_.saves_by_itself = true;
    kit_.save_all();
    clients_.resize(std::min(clients_.size(), kit_.settings.max_members));
    for (int i = 0; i < 180; i++) {
      for (Client& c : clients_) act(c);
      listen();
      kit_.advance(seconds(1));
      listen();
    }
  }

  void check_settled() {
    REQUIRE(kit_.state() == "Stable");
    GroupView view = *kit_.groups->describe("g");
    REQUIRE(view.members.size() == clients_.size());
    int leaders = 0;
    std::set<std::string> shares;
    for (Client& c : clients_) {
      REQUIRE(c.doing == Client::Doing::consuming);
      REQUIRE(c.generation == clients_[0].generation);
      auto member = std::find_if(view.members.begin(), view.members.end(), [&](auto& m) { return m.id == c.id; });
      REQUIRE(member != view.members.end());
      REQUIRE(*member->assignment == c.share);
      leaders += c.leads;
      shares.insert(c.share);
    }
    REQUIRE(leaders <= 1);  // none if the leader came back as a static member of an older client
    REQUIRE(shares.size() == clients_.size());
  }

  /// All die. In the end nothing waits, nothing is kept of them, and nothing is due but the look at the offsets.
  void fall_silent() {
    kit_.advance(std::chrono::minutes(9));
    for (Ticket t = lost_until_ + 1; t <= kit_.last_ticket; t++) REQUIRE(kit_.is_joined(t) != kit_.is_synced(t));
    REQUIRE(kit_.state() == "Empty");
    REQUIRE(kit_.groups->bytes() == 0);
    REQUIRE(kit_.saved.at("g").members.empty());
    kit_.advance(std::chrono::minutes(11));
    REQUIRE(kit_.checks.size() >= 1);
    REQUIRE(kit_.groups->check_retention("g", {}, kit_.now).group);
    kit_.groups->forget("g");
    REQUIRE_FALSE(kit_.groups->wake_at());
  }

  testing::SeededRandom numbers_;
  GroupKit kit_;
  std::vector<Client> clients_;
  int last_share_ = 0;
  Ticket lost_until_ = 0;  ///< answers up to this one went with a process
};

}  // namespace

TEST_CASE("clients that die, come back, leave and change their minds end in one stable generation, whatever happens to saves") {
  for (uint64_t seed = 1; seed <= kRounds; seed++) {
    INFO("seed ", seed);
    Model(seed).run();
  }
}
