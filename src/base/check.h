// CHECK(condition, ...): a bug ends the process, in release builds too. Not for bad input.
#pragma once

namespace topicfs {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define CHECK(condition)                                                         \
  do {                                                                           \
    if (!(condition)) [[unlikely]] ::topicfs::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
