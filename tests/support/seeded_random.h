// SeededRandom: numbers from a seed (SplitMix64), and the choices that tests and the simulation make with them.
#pragma once

#include "base/random.h"

namespace topicfs::testing {

/// Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// 0 to n-1; 0 if n is 0.
  uint64_t below(uint64_t n) { return n == 0 ? 0 : next() % n; }
  /// from to to, both included.
  uint64_t between(uint64_t from, uint64_t to) { return from + below(to - from + 1); }
  bool percent(uint64_t p) { return below(100) < p; }
  bool coin() { return next() & 1; }

 private:
  uint64_t state_;
};

}  // namespace topicfs::testing
