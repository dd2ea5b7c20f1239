#include "fuse/answer.h"

#include <cerrno>

#include "base/log.h"

namespace topicfs::fuse {

int errno_of(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument:
      return EINVAL;
    case Errc::kNotFound:
      return ENOENT;
    case Errc::kExists:
      return EEXIST;
    case Errc::kNotEmpty:
      return ENOTEMPTY;
    case Errc::kNotPermitted:
      return EPERM;
    case Errc::kOutOfRange:
      return EINVAL;
    case Errc::kTooLarge:
      return EFBIG;
    case Errc::kCorrupt:
      return EIO;
    case Errc::kUnsupported:
      return EOPNOTSUPP;
    case Errc::kFull:
      return ENOSPC;  // waited as long as --append-timeout allows
    case Errc::kTimedOut:
      return ENOSPC;  // the same, seen by another
    case Errc::kNoSpace:
      return ENOSPC;
    case Errc::kReadOnly:
      return EIO;  // of a poisoned log; reads go on
    case Errc::kCancelled:
      return EINTR;
    case Errc::kWouldBlock:
      return EAGAIN;
    case Errc::kBusy:
      return EBUSY;
    case Errc::kUnavailable:
      return EIO;
    case Errc::kDenied:
      return EIO;  // the store's refusal; EACCES would blame the file's mode
    case Errc::kIo:
      return EIO;
    case Errc::kClosed:
      return ESHUTDOWN;
    case Errc::kOutOfOrder:  // of Kafka's producers: no file operation can meet them
    case Errc::kStaleEpoch:
      return EIO;
  }
  return EIO;
}

tl::unexpected<Errno> refuse(const Error& error) {
  const int number = errno_of(error.code);
  // A poisoned log says so once itself; every write after that need not.
  if (number == EIO && error.code != Errc::kReadOnly) LOG_WARNING("a program was told EIO: {}", error.message());
  return refuse(number);
}

}  // namespace topicfs::fuse
