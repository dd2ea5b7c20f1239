// Group: one classic consumer group, as a state machine over requests and time. It knows no clock, no socket and no
// engine: time comes in with each event, and what has to be done goes out as actions.
//
//               join                        all have joined, or the time is over
//   empty ---------------> preparing ----------------------------------------------> completing
//     ^                     ^  ^   |  nobody is left                                   |    |
//     +---------------------|--|---+                                                   |    | the leader's assignment
//                           |  +-------------------------------------------------------+    | is saved
//                           |     join, leave, expiry: who waits for a share, joins again    v
//                           +------------------------------------------------------------ stable
//
// A member is known by an id that it gets here; a static one (KIP-345) keeps its place under a name of its own, and
// who comes back with that name replaces it. What clients see is Kafka's, as conformance/kdiff compares it. A
// generation counts when it is saved: the leader's assignment is handed out only then, so that a coordinator that
// is killed finds the members of a stable group where they are, and they notice nothing.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "kafka/group/types.h"

namespace topicfs::kafka {

class Group {
 public:
  /// `incarnation` tells apart groups of one name. What is passed by reference outlives the group.
  Group(std::string name, const GroupSettings& settings, Random& random, uint32_t incarnation, Now now);
  /// Goes on with what was saved: once, before anything else. Sessions begin anew.
  void restore(const GroupState& state, Now now);

  // ---- requests; a ticket is answered once, at once or in a later event

  void join(Ticket ticket, JoinRequest request, Now now, Actions& out);
  void sync(Ticket ticket, const SyncRequest& request, Actions& out);
  GroupError heartbeat(const MemberName& name, int32_t generation, Now now);
  /// One answer for each; the group rebalances once.
  std::vector<GroupError> leave(const std::vector<MemberName>& names, Now now, Actions& out);
  /// Whether this member may commit offsets now. `generation` is negative for a client that is no member.
  GroupError check_commit(const MemberName& name, int32_t generation, Now now);

  // ---- what happens besides

  /// A save has ended.
  void saved(uint64_t number, GroupError error, Now now, Actions& out);
  /// What is due happens. Nothing is due before wake_at().
  void tick(Now now, Actions& out);
  /// Not later than the next thing that is due; nothing: no member, nothing to wait for.
  std::optional<MonotonicTime> wake_at() const { return wake_at_; }
  /// All sessions begin anew: for a while nobody could be heard.
  void renew_sessions(Now now);

  // ---- what there is

  const std::string& name() const { return name_; }
  GroupStage stage() const { return stage_; }
  const std::string& protocol_type() const { return protocol_type_; }
  /// Neither has members nor has given out an id for one.
  bool is_abandoned() const { return members_.empty() && pending_.empty(); }
  WallMilliseconds empty_since() const { return empty_since_; }
  /// Of its names, metadata and assignments.
  size_t bytes() const { return bytes_; }
  GroupView view() const;
  /// False if it is known that no member has subscribed to the topic.
  bool may_be_subscribed_to(const std::string& topic) const;

 private:
  /// A static member that came back, and waits for its new id to be saved.
  struct Return {
    uint64_t save;
    std::string leader;  ///< as it is told; an older client is not told that it leads
    bool can_skip_assignment;
  };
  struct Member {
    std::string id;
    std::optional<std::string> instance_id;
    std::string client_id, client_host;
    std::chrono::milliseconds session_timeout{0}, rebalance_timeout{0};
    std::vector<Protocol> protocols;
    Blob assignment = empty_blob();
    std::optional<Ticket> joining, syncing;
    bool is_new = false;     ///< its first join waits: its client sends no heartbeats yet
    bool owes_sync = false;  ///< has not asked for its share of this generation
    std::optional<MonotonicTime> session_ends;
    std::optional<Return> returning;
  };
  using Members = std::map<std::string, Member>;

  // group.cc: requests
  void join_as_new(Ticket ticket, JoinRequest& request, Now now, Actions& out);
  void join_again(Ticket ticket, JoinRequest& request, Now now, Actions& out);
  void add_member(Ticket ticket, JoinRequest& request, std::string id, Now now, Actions& out);
  void update_member(Member& member, Ticket ticket, JoinRequest& request, Actions& out);
  void replace_static_member(Ticket ticket, JoinRequest& request, std::string new_id, Now now, Actions& out);
  GroupError leave_one(const MemberName& name, Actions& out);
  bool accepts(const JoinRequest& request) const;
  bool supports(const JoinRequest& request) const;
  GroupError validate(const MemberName& name) const;
  std::string new_member_id(const JoinRequest& request);
  void take_assignments(const SyncRequest& request);
  void answer_with_current(Ticket ticket, const Member& member, Actions& out) const;

  // group_rebalance.cc: generations, timers, saves
  void rebalance_or_complete(std::string_view why, Now now, Actions& out);
  void prepare_rebalance(std::string_view why, Now now, Actions& out);
  void maybe_complete_join(Now now, Actions& out);
  void complete_join(Now now, Actions& out);
  void begin_generation(Now now, Actions& out);
  bool elect_leader();
  std::string select_protocol() const;
  bool all_have_joined() const { return joining_count_ == members_.size() && pending_.empty(); }
  std::chrono::milliseconds rebalance_timeout() const;
  void end_join_wait(Now now, Actions& out);
  void end_sync_wait(Now now, Actions& out);
  void expire_sessions(Now now, Actions& out);
  std::vector<std::string> take_expired(Now now);
  void find_next_wake();
  void note_wake(MonotonicTime when);
  void begin_session(Member& member, MonotonicTime ends);
  uint64_t request_save(Actions& out);
  void begin_save(Actions& out);
  void settle_save(uint64_t number, GroupError error, Now now, Actions& out);
  void reset_assignments(GroupError error, Actions& out);
  void no_sync_owed(Member& member);

  // group_state.cc: bookkeeping and views
  Members::iterator erase_member(Members::iterator at);
  void drop_member(Members::iterator at, Actions& out);
  void set_protocols(Member& member, std::vector<Protocol> protocols);
  void set_assignment(Member& member, Blob assignment);
  void set_joining(Member& member, std::optional<Ticket> ticket);
  void answer_join(Member& member, JoinResult result, Actions& out);
  void answer_sync(Member& member, SyncResult result, Actions& out);
  JoinResult current(const Member& member) const;
  SyncResult share_of(const Member& member) const;
  std::vector<JoinedMember> joined_members() const;
  Blob metadata_of(const Member& member) const;
  GroupState snapshot() const;

  const std::string name_;
  const GroupSettings& settings_;
  Random& random_;

  GroupStage stage_ = GroupStage::empty;
  int32_t generation_ = 0;
  std::string protocol_type_, protocol_, leader_;  ///< empty: none
  Members members_;
  std::map<std::string, std::string> static_ids_;            ///< by instance
  std::map<std::string, MonotonicTime> pending_;             ///< ids given out to members that have not joined, and until when
  std::map<std::string, size_t, std::less<>> supported_by_;  ///< by protocol: how many members
  size_t joining_count_ = 0;
  size_t bytes_ = 0;
  WallMilliseconds empty_since_;

  // While preparing.
  std::optional<MonotonicTime> join_ends_;
  bool is_initial_ = false;                       ///< the group was empty: wait for more members
  bool has_new_member_ = false;                   ///< since the wait began, or was extended
  std::chrono::milliseconds initial_delay_{0}, initial_rest_{0};
  // While completing, and stable.
  std::optional<MonotonicTime> sync_ends_;
  std::optional<uint64_t> assignment_save_;       ///< the leader's assignment is on its way with this save

  std::optional<MonotonicTime> wake_at_;
  uint64_t last_save_;
  std::optional<uint64_t> saving_;                ///< under way
  bool save_wanted_ = false;                      ///< another one, when that has ended
};

}  // namespace topicfs::kafka
