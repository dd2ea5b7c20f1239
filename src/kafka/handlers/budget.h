// Budget: bytes that may be held for one purpose by all together.
#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace topicfs::kafka {

/// Thread-safe; outlives its shares.
class Budget {
 public:
  explicit Budget(size_t bytes) : bytes_(bytes) {}
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  /// Given back at its end.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept : of_(std::exchange(other.of_, nullptr)), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (of_) of_->used_ -= bytes_;
    }
    explicit operator bool() const { return of_ != nullptr; }

   private:
    friend class Budget;
    Share(Budget& of, size_t bytes) : of_(&of), bytes_(bytes) {}
    Budget* of_ = nullptr;
    size_t bytes_ = 0;
  };

  /// False if that were more than there is.
  Share take(size_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= bytes_) return Share(*this, bytes);
    used_ -= bytes;
    return {};
  }
  bool is_half_used() const { return used_ > bytes_ / 2; }

 private:
  const size_t bytes_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace topicfs::kafka
