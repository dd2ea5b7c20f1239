#include "base/clock.h"

namespace topicfs {
namespace {

class SystemClock final : public Clock {
 public:
  MonotonicTime now() override { return std::chrono::steady_clock::now().time_since_epoch(); }
  WallMilliseconds wall_now() override {
    return std::chrono::duration_cast<WallMilliseconds>(std::chrono::system_clock::now().time_since_epoch());
  }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace topicfs
