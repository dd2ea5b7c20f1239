// What can go wrong, in one list: callers branch on `Errc`, people read `what`.
// Bugs are not errors; they are CHECKs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace topicfs {

enum class Errc {
  kInvalidArgument,  ///< the caller's request makes no sense
  kNotFound,
  kExists,
  kNotEmpty,
  kNotPermitted,    ///< append-only rules, or an operation that logs do not have
  kOutOfRange,      ///< an offset below the log start or above the end
  kTooLarge,        ///< beyond a limit that has a name
  kCorrupt,         ///< bytes that fail a checksum or do not decode
  kUnsupported,     ///< well formed, but this version or codec is not served
  kFull,            ///< a bounded resource is used up; retry later
  kNoSpace,         ///< the disk is full
  kReadOnly,        ///< the log is poisoned by a failed write or sync; restart recovers
  kTimedOut,
  kCancelled,
  kWouldBlock,
  kBusy,            ///< someone else holds it (a data directory, a store, a port)
  kUnavailable,     ///< a remote party does not answer as it should; retry
  kDenied,          ///< credentials refused
  kIo,              ///< the operating system said no; see sys_errno
  kClosed,          ///< stopping, or the other end is gone
  kOutOfOrder,      ///< batches of this producer are missing before the one that it sent
  kStaleEpoch,      ///< whoever asks has come back since, under a newer epoch
};

std::string_view name_of(Errc code);

/// A record that may not enter the log, though the batch around it is sound (KIP-467).
struct RecordFault {
  int32_t index = 0;  ///< in its batch, from 0
  std::string why;
};

struct Error {
  Errc code = Errc::kIo;
  int sys_errno = 0;  ///< 0 where no system call was involved
  std::string what;   ///< for people: what failed, on what, and what to do
  std::vector<RecordFault> records{};  ///< of a batch that is refused for some of its records

  /// "what: strerror(sys_errno)", or what alone.
  std::string message() const;
};

}  // namespace topicfs
