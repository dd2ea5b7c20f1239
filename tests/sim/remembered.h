// Remembered: one thing of the catalog as text (a topic, a group), what was acknowledged of it and what is in doubt.
// One change at a time is under way, so after a crash it is either as before or as after.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace topicfs::sim {

class Remembered {
 public:
  explicit Remembered(std::string nothing) : now_(std::move(nothing)) {}

  const std::string& now() const { return now_; }
  bool is_in_doubt() const { return pending_.has_value(); }
  void begin(std::string next) { pending_ = std::move(next); }
  /// `next_order`: of the next append, which the log has behind this.
  void acknowledged(uint64_t next_order) {
    past_[now_] = next_order;
    now_ = std::move(*pending_);
    pending_.reset();
  }
  void refused() { pending_.reset(); }
  /// The bucket has this state: earlier ones never come back.
  void is_stored() { past_.clear(); }

  /// What came back after a restart; with `lost`, from the bucket alone, which may be behind.
  bool accept(const std::string& found, bool lost) {
    bool known = found == now_ || (pending_ && found == *pending_) || (lost && past_.contains(found));
    came_back_before_ = found == now_ || found == pending_ || !known ? kNever : past_[found];
    past_[now_] = kNever;
    if (pending_) past_[*pending_] = kNever;
    now_ = found;
    pending_.reset();
    return known;
  }
  /// What came back had been replaced before this append was made: where the append is, so is its successor.
  bool is_older_than(uint64_t order) const { return came_back_before_ <= order; }

 private:
  std::string now_;
  std::optional<std::string> pending_;
  static constexpr uint64_t kNever = UINT64_MAX;
  std::map<std::string, uint64_t> past_;  ///< and the first append behind the next state
  uint64_t came_back_before_ = kNever;
};

}  // namespace topicfs::sim
