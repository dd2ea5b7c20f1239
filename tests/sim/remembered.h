// Remembered: one thing of the catalog as text (a topic, a group), what was acknowledged of it and what is in doubt.
// One change at a time is under way, so after a crash it is either as before or as after.
#pragma once

#include <optional>
#include <set>
#include <string>

namespace topicfs::sim {

class Remembered {
 public:
  explicit Remembered(std::string nothing) : now_(std::move(nothing)) {}

  const std::string& now() const { return now_; }
  bool is_in_doubt() const { return pending_.has_value(); }
  void begin(std::string next) { pending_ = std::move(next); }
  void acknowledged() {
    past_.insert(now_);
    now_ = std::move(*pending_);
    pending_.reset();
  }
  void refused() { pending_.reset(); }
  /// The bucket has this state: earlier ones never come back.
  void is_stored() { past_.clear(); }

  /// What came back after a restart; with `lost`, from the bucket alone, which may be behind.
  bool accept(const std::string& found, bool lost) {
    bool known = found == now_ || (pending_ && found == *pending_) || (lost && past_.contains(found));
    past_.insert(now_);
    if (pending_) past_.insert(*pending_);
    now_ = found;
    pending_.reset();
    return known;
  }

 private:
  std::string now_;
  std::optional<std::string> pending_;
  std::set<std::string> past_;
};

}  // namespace topicfs::sim
