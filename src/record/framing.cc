#include "record/framing.h"

#include <cstring>

namespace topicfs {
namespace {

// An idle handle keeps no more than this for the next line; 10,000 open files are common.
constexpr size_t kMaxIdlePendingBytes = 4 << 10;

/// How many bytes of `data` its complete lines take.
size_t complete_bytes(ByteSpan data) {
  if (data.empty()) return 0;
  const void* newline = memrchr(data.data(), '\n', data.size());
  return newline ? static_cast<size_t>(static_cast<const std::byte*>(newline) - data.data()) + 1 : 0;
}

}  // namespace

void FramingPlan::add(ByteSpan piece) {
  if (piece.empty()) return;
  pieces_[piece_count_++] = piece;
  size_ += piece.size();
}

FramingPlan LineFramer::plan(ByteSpan data, Unfinished unfinished) const {
  FramingPlan plan;
  size_t taken = complete_bytes(data);
  const size_t held = data.size() - taken + (taken == 0 ? pending().size() : 0);
  const bool cut = held > (unfinished == Unfinished::release ? 0 : max_pending_bytes_);
  if (cut) {
    taken = data.size();
    plan.last_ = LastLine::unfinished;
  }
  if (taken != 0 || cut) {
    plan.add(pending());
    plan.add(data.first(taken));
  }
  plan.rest_ = data.subspan(taken);
  return plan;
}

void LineFramer::accept(const FramingPlan& plan, std::shared_ptr<std::byte>* memory) {
  if (plan.appends()) pending_.clear(), kept_.reset();
  if (plan.rest_.empty() && kept_) return;
  if (memory && pending_.empty() && !kept_ && plan.rest_.size() >= kLeastKeptBytes) {
    kept_ = std::move(*memory), kept_bytes_ = plan.rest_;
    return;
  }
  if (kept_) pending_.assign(kept_bytes_.begin(), kept_bytes_.end()), kept_.reset();
  pending_.insert(pending_.end(), plan.rest_.begin(), plan.rest_.end());
  if (pending_.empty() && pending_.capacity() > kMaxIdlePendingBytes) clear();
}

void LineFramer::clear() {
  pending_ = {};
  kept_.reset();
}

}  // namespace topicfs
