// What the file system answers: a value or an errno, at once (Answer) or later (Reply).
#pragma once

#include <topicfs/completion.h>
#include <topicfs/error.h>

#include <tl/expected.hpp>

namespace topicfs::fuse {

struct Errno {
  int value;
  friend bool operator==(const Errno&, const Errno&) = default;
};

template <class T>
using Answer = tl::expected<T, Errno>;
/// Called exactly once, from any thread.
template <class T>
using Reply = UniqueFunction<void(Answer<T>)>;

inline tl::unexpected<Errno> refuse(int number) { return tl::unexpected<Errno>(Errno{number}); }

/// What a program sees of an engine's error: the only place where one becomes the other.
int errno_of(Errc code);
/// As above; logs what EIO can't say (an I/O error, damage, an unreachable store).
tl::unexpected<Errno> refuse(const Error& error);

}  // namespace topicfs::fuse
