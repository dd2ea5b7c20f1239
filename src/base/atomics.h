// What std::atomic lacks.
#pragma once

#include <atomic>

namespace topicfs {

/// Moves `value` up to `to`, never back, whoever else does so at the same time.
template <typename T>
void raise_to(std::atomic<T>& value, T to, std::memory_order order = std::memory_order_seq_cst) {
  T now = value.load(std::memory_order_relaxed);
  while (now < to && !value.compare_exchange_weak(now, to, order)) {
  }
}

}  // namespace topicfs
