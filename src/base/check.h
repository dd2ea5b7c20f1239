// MUST(condition): a bug ends the process, in release builds too. Not for bad input.
// (doctest owns the name CHECK.)
#pragma once

namespace topicfs {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}

#define MUST(condition)                                                          \
  do {                                                                           \
    if (!(condition)) [[unlikely]] ::topicfs::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
