// Result<T>: a value or an Error. TRY unwraps one or returns its error.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include <topicfs/error.h>

namespace topicfs {

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code, std::string what, int sys_errno = 0) {
  return tl::unexpected<Error>(Error{code, sys_errno, std::move(what)});
}
/// For a system call that has just set errno: kNoSpace, kNotFound, kExists, ... or kIo.
tl::unexpected<Error> fail_errno(std::string what, int sys_errno);

}  // namespace topicfs

#define TOPICFS_CONCAT2(a, b) a##b
#define TOPICFS_CONCAT(a, b) TOPICFS_CONCAT2(a, b)

/// TRY(expression): return its error, if it is one.
#define TRY(...)                                                                            \
  do {                                                                                      \
    if (auto try_result_ = (__VA_ARGS__); !try_result_) [[unlikely]]                        \
      return tl::unexpected<::topicfs::Error>(std::move(try_result_).error());              \
  } while (false)

/// TRY_ASSIGN(auto x, expression): x becomes its value, or its error is returned.
#define TRY_ASSIGN(target, ...) TRY_ASSIGN_IMPL(TOPICFS_CONCAT(try_value_, __LINE__), target, __VA_ARGS__)
#define TRY_ASSIGN_IMPL(name, target, ...)                                                  \
  auto name = (__VA_ARGS__);                                                                \
  if (!name) [[unlikely]] return tl::unexpected<::topicfs::Error>(std::move(name).error()); \
  target = std::move(*name)
