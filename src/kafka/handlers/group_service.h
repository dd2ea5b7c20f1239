// GroupService: runs the coordinator of consumer groups. All its events happen one after another on one executor, so
// the coordinator needs no lock, and the engine sees its changes in the order in which they were decided. What it
// asks to be done is done here: parked requests are answered, groups saved, old offsets deleted, one timer armed
// for whatever is due next, none when nothing is.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include <topicfs/engine.h>

#include "base/clock.h"
#include "base/random.h"
#include "kafka/group/coordinator.h"

namespace topicfs::kafka {

class GroupService : public std::enable_shared_from_this<GroupService> {
 public:
  /// Runs on the executor; may fill in responses, and call the engine's verbs.
  using Event = UniqueFunction<void(GroupCoordinator&, Now, Actions&)>;

  /// Engine, clock and random outlive the service; it shares the executor with its owner, because completions of
  /// the engine may come when that has gone.
  GroupService(Engine& engine, const GroupSettings& settings, Clock& clock, Random& random,
               std::shared_ptr<Executor> executor);

  /// Takes over what the engine keeps of groups. `ready` is called on the executor when that has succeeded, or has
  /// failed for the first time; then it is tried again, and clients are asked to wait.
  void load(Task ready);

  // ---- any thread

  void run(Event event);
  /// Waits while the group, or offsets of it, are being deleted.
  void run_for(std::string group, Event event);
  /// `answer` is called once, on the executor, unless the ticket is abandoned.
  Ticket join(JoinRequest request, UniqueFunction<void(JoinResult)> answer);
  Ticket sync(SyncRequest request, UniqueFunction<void(SyncResult)> answer);
  /// Nobody waits for this answer any more.
  void abandon(Ticket ticket);
  void delete_group(std::string group, UniqueFunction<void(GroupError)> done);

 private:
  void post(UniqueFunction<void(GroupService&)> task);
  void handle(Event& event);
  void perform(Actions& actions);
  void save(Actions::Save& save);
  void check_retention(const std::string& group);
  void expire(const std::string& group, const std::vector<CommittedOffset>& committed);
  void delete_now(const std::string& group, UniqueFunction<void(GroupError)> done);
  void hold(const std::string& group) { held_.try_emplace(group); }
  void release(const std::string& group);
  void load_from(std::string after);
  void take_loaded(Result<std::vector<StoredGroup>> some);
  void arm();
  Now now() { return {clock_.now(), clock_.wall_now()}; }

  Engine& engine_;
  Clock& clock_;
  const std::shared_ptr<Executor> executor_;
  const GroupSettings settings_;
  std::atomic<Ticket> last_ticket_ = 0;

  // On the executor only.
  GroupCoordinator coordinator_;
  std::unordered_map<Ticket, UniqueFunction<void(JoinResult)>> joins_;
  std::unordered_map<Ticket, UniqueFunction<void(SyncResult)>> syncs_;
  std::unordered_map<std::string, std::vector<Event>> held_;
  Task ready_;
  TimerId timer_ = 0;
  MonotonicTime timer_at_{0};
};

}  // namespace topicfs::kafka
