#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace topicfs {

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "topicfs: bug: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace topicfs
