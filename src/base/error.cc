#include <topicfs/error.h>
#include <topicfs/result.h>

#include <cerrno>
#include <cstring>

namespace topicfs {

std::string_view name_of(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument: return "invalid argument";
    case Errc::kNotFound: return "not found";
    case Errc::kExists: return "exists";
    case Errc::kNotEmpty: return "not empty";
    case Errc::kNotPermitted: return "not permitted";
    case Errc::kOutOfRange: return "out of range";
    case Errc::kTooLarge: return "too large";
    case Errc::kCorrupt: return "corrupt";
    case Errc::kUnsupported: return "unsupported";
    case Errc::kFull: return "full";
    case Errc::kNoSpace: return "no space";
    case Errc::kReadOnly: return "read-only";
    case Errc::kTimedOut: return "timed out";
    case Errc::kCancelled: return "cancelled";
    case Errc::kWouldBlock: return "would block";
    case Errc::kBusy: return "busy";
    case Errc::kUnavailable: return "unavailable";
    case Errc::kDenied: return "denied";
    case Errc::kIo: return "I/O error";
    case Errc::kClosed: return "closed";
    case Errc::kOutOfOrder: return "out of order";
    case Errc::kStaleEpoch: return "stale epoch";
  }
  return "unknown";
}

std::string Error::message() const {
  if (sys_errno == 0) return what;
  return what + ": " + std::strerror(sys_errno);
}

static Errc code_of_errno(int e) {
  switch (e) {
    case ENOENT: return Errc::kNotFound;
    case EEXIST: return Errc::kExists;
    case ENOTEMPTY: return Errc::kNotEmpty;
    case ENOSPC:
    case EDQUOT: return Errc::kNoSpace;
    case EROFS: return Errc::kReadOnly;
    case EACCES:
    case EPERM: return Errc::kDenied;
    case EINVAL: return Errc::kInvalidArgument;
    case EBUSY: return Errc::kBusy;
    default: return Errc::kIo;  // an open set: errno has no enum
  }
}

tl::unexpected<Error> fail_errno(std::string what, int sys_errno) {
  return fail(code_of_errno(sys_errno), std::move(what), sys_errno);
}

}  // namespace topicfs
