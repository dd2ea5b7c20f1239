#include "kafka/handlers/group_service.h"

#include "base/log.h"
#include "kafka/group/text.h"
#include "kafka/handlers/error_map.h"

namespace topicfs::kafka {
namespace {

constexpr std::chrono::seconds kLoadRetry{1};

/// Takes the waiting function of a ticket; an empty one if it was abandoned.
template <class Map>
typename Map::mapped_type take(Map& waiting, Ticket ticket) {
  auto node = waiting.extract(ticket);
  return node.empty() ? typename Map::mapped_type() : std::move(node.mapped());
}

GroupError error_of(const Result<void>& result) {
  return result ? GroupError::none : group_error_of(result.error());
}

}  // namespace

GroupService::GroupService(Engine& engine, const GroupSettings& settings, Clock& clock, Random& random,
                           std::shared_ptr<Executor> executor)
    : engine_(engine), clock_(clock), executor_(std::move(executor)), settings_(settings), coordinator_(settings_, random) {}

// ---- events

void GroupService::post(UniqueFunction<void(GroupService&)> task) {
  executor_->post([weak = weak_from_this(), task = std::move(task)]() mutable {
    if (auto self = weak.lock()) task(*self);
  });
}

void GroupService::run(Event event) {
  post([event = std::move(event)](GroupService& self) mutable { self.handle(event); });
}

void GroupService::run_for(std::string group, Event event) {
  post([group = std::move(group), event = std::move(event)](GroupService& self) mutable {
    auto held = self.held_.find(group);
    if (held != self.held_.end()) held->second.push_back(std::move(event));
    else self.handle(event);
  });
}

void GroupService::handle(Event& event) {
  Actions actions;
  event(coordinator_, now(), actions);
  perform(actions);
}

Ticket GroupService::join(JoinRequest request, UniqueFunction<void(JoinResult)> answer) {
  Ticket ticket = ++last_ticket_;
  post([ticket, answer = std::move(answer)](GroupService& self) mutable { self.joins_.emplace(ticket, std::move(answer)); });
  std::string group = request.group;
  run_for(std::move(group), [ticket, request = std::move(request)](GroupCoordinator& groups, Now now, Actions& out) mutable {
    groups.join(ticket, std::move(request), now, out);
  });
  return ticket;
}

Ticket GroupService::sync(SyncRequest request, UniqueFunction<void(SyncResult)> answer) {
  Ticket ticket = ++last_ticket_;
  post([ticket, answer = std::move(answer)](GroupService& self) mutable { self.syncs_.emplace(ticket, std::move(answer)); });
  std::string group = request.group;
  run_for(std::move(group), [ticket, request = std::move(request)](GroupCoordinator& groups, Now now, Actions& out) {
    groups.sync(ticket, request, now, out);
  });
  return ticket;
}

void GroupService::abandon(Ticket ticket) {
  post([ticket](GroupService& self) {
    take(self.joins_, ticket);
    take(self.syncs_, ticket);
  });
}

// ---- actions

void GroupService::perform(Actions& actions) {
  for (auto& join : actions.joins)
    if (auto answer = take(joins_, join.ticket)) answer(std::move(join.result));
  for (auto& sync : actions.syncs)
    if (auto answer = take(syncs_, sync.ticket)) answer(std::move(sync.result));
  for (auto& wanted : actions.saves) save(wanted);
  for (const std::string& group : actions.checks) check_retention(group);
  arm();
}

void GroupService::save(Actions::Save& save) {
  auto done = [weak = weak_from_this(), group = save.group, number = save.number](Result<void> saved) {
    auto self = weak.lock();
    if (!self) return;
    if (!saved) LOG_ERROR("group {}: cannot be saved: {}", printable(group), saved.error().message());
    self->run([group, number, error = error_of(saved)](GroupCoordinator& groups, Now now, Actions& out) {
      groups.saved(group, number, error, now, out);
    });
  };
  engine_.save_group(save.group, std::move(save.state), std::move(done));
}

/// The timer may be earlier than what is due, never later: a heartbeat moves what is due and not the timer.
void GroupService::arm() {
  auto when = coordinator_.wake_at();
  if (!when || (timer_ != 0 && timer_at_ <= *when)) return;
  if (timer_ != 0) executor_->cancel(timer_);
  timer_at_ = *when;
  timer_ = executor_->at(*when, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self) return;
    self->timer_ = 0;
    Event tick = [](GroupCoordinator& groups, Now now, Actions& out) { groups.tick(now, out); };
    self->handle(tick);
  });
}

// ---- deletions: meanwhile what else concerns the group waits, so that no commit is lost that came after them

void GroupService::release(const std::string& group) {
  auto node = held_.extract(group);
  if (node.empty()) return;
  for (Event& event : node.mapped()) run_for(group, std::move(event));
}

void GroupService::delete_group(std::string group, UniqueFunction<void(GroupError)> done) {
  std::string name = group;
  run_for(std::move(name), [this, group = std::move(group), done = std::move(done)](GroupCoordinator& groups, Now, Actions&) mutable {
    if (GroupError error = groups.check_delete(group); error != GroupError::none) return done(error);
    delete_now(group, std::move(done));
  });
}

void GroupService::delete_now(const std::string& group, UniqueFunction<void(GroupError)> done) {
  hold(group);
  engine_.delete_group(group, [weak = weak_from_this(), group, done = std::move(done)](Result<void> deleted) mutable {
    auto self = weak.lock();
    if (!self) return;
    // The engine knows nothing of a group that has neither committed nor had members.
    bool is_gone = deleted || deleted.error().code == Errc::kNotFound;
    self->post([group, is_gone, error = is_gone ? GroupError::none : error_of(deleted),
                done = std::move(done)](GroupService& service) mutable {
      if (is_gone) service.coordinator_.forget(group);
      done(error);
      service.release(group);
    });
  });
}

void GroupService::check_retention(const std::string& group) {
  if (held_.contains(group)) return;  // it is looked at again
  hold(group);
  engine_.fetch_offsets(group, [weak = weak_from_this(), group](Result<std::vector<CommittedOffset>> committed) {
    auto self = weak.lock();
    if (!self) return;
    self->post([group, committed = std::move(committed)](GroupService& service) {
      if (committed) service.expire(group, *committed);
      else service.release(group);
    });
  });
}

void GroupService::expire(const std::string& group, const std::vector<CommittedOffset>& committed) {
  auto expired = coordinator_.check_retention(group, committed, now());
  arm();
  if (expired.group) return delete_now(group, [](GroupError) {});
  if (expired.offsets.empty()) return release(group);
  LOG_INFO("group {}: {} offsets have been kept for long enough", printable(group), expired.offsets.size());
  engine_.delete_offsets(group, std::move(expired.offsets), [weak = weak_from_this(), group](Result<void>) {
    if (auto self = weak.lock()) self->post([group](GroupService& service) { service.release(group); });
  });
}

// ---- the start

void GroupService::load(Task ready) {
  post([ready = std::move(ready)](GroupService& self) mutable {
    self.ready_ = std::move(ready);
    self.load_from("");
  });
}

void GroupService::load_from(std::string after) {
  engine_.list_groups(std::move(after), [weak = weak_from_this()](Result<std::vector<StoredGroup>> some) {
    if (auto self = weak.lock())
      self->post([some = std::move(some)](GroupService& service) mutable { service.take_loaded(std::move(some)); });
  });
}

void GroupService::take_loaded(Result<std::vector<StoredGroup>> some) {
  if (!some) {
    LOG_ERROR("cannot read what is kept of consumer groups: {}", some.error().message());
    executor_->at(clock_.now() + kLoadRetry, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->load_from("");
    });
  } else if (!some->empty()) {
    coordinator_.restore(*some, now());
    return load_from(some->back().name);
  } else {
    if (coordinator_.size() > 0) LOG_INFO("{} consumer groups go on", coordinator_.size());
    coordinator_.set_loaded();
    arm();
  }
  if (ready_) std::exchange(ready_, nullptr)();
}

}  // namespace topicfs::kafka
