#include "kafka/handlers/error_map.h"

#include "record/validate.h"

namespace topicfs::kafka {
namespace {

ErrorCode error_code_of(BatchFault fault) {
  switch (fault) {
    case BatchFault::corrupt_message: return ErrorCode::kCorruptMessage;
    case BatchFault::too_large: return ErrorCode::kMessageTooLarge;
    case BatchFault::invalid_record:
    case BatchFault::old_magic: return ErrorCode::kInvalidRecord;
    case BatchFault::unsupported_compression: return ErrorCode::kUnsupportedCompressionType;
    case BatchFault::invalid_timestamp: return ErrorCode::kInvalidTimestamp;
    case BatchFault::unknown_codec:
    case BatchFault::undecodable: return ErrorCode::kUnknownServerError;
    case BatchFault::no_memory: return ErrorCode::kRequestTimedOut;
  }
  return ErrorCode::kUnknownServerError;
}

/// As Kafka's coordinator translates errors of its own log: clients look for the coordinator again, and retry.
ErrorCode of_group(Errc code) {
  switch (code) {
    case Errc::kNotFound: return ErrorCode::kGroupIdNotFound;
    case Errc::kNotEmpty: return ErrorCode::kNonEmptyGroup;
    case Errc::kTooLarge: return ErrorCode::kInvalidCommitOffsetSize;
    case Errc::kFull:
    case Errc::kTimedOut:
    case Errc::kWouldBlock: return ErrorCode::kCoordinatorNotAvailable;
    case Errc::kCancelled:
    case Errc::kBusy:
    case Errc::kUnavailable:
    case Errc::kClosed:
    case Errc::kNoSpace:
    case Errc::kReadOnly:
    case Errc::kIo: return ErrorCode::kNotCoordinator;
    case Errc::kInvalidArgument:
    case Errc::kExists:
    case Errc::kNotPermitted:
    case Errc::kOutOfRange:
    case Errc::kCorrupt:
    case Errc::kUnsupported:
    case Errc::kDenied: return ErrorCode::kUnknownServerError;
  }
  return ErrorCode::kUnknownServerError;
}

}  // namespace

ErrorCode error_code_of(const Error& error, Verb verb) {
  if (verb == Verb::group) return of_group(error.code);
  if (verb == Verb::append)
    if (auto fault = fault_of(error)) return error_code_of(*fault);
  switch (error.code) {
    case Errc::kInvalidArgument:
      return verb == Verb::append    ? ErrorCode::kInvalidRecord
             : verb == Verb::catalog ? ErrorCode::kInvalidConfig
                                     : ErrorCode::kInvalidRequest;
    case Errc::kNotFound: return ErrorCode::kUnknownTopicOrPartition;
    case Errc::kExists: return ErrorCode::kTopicAlreadyExists;
    case Errc::kNotEmpty: return ErrorCode::kInvalidRequest;
    case Errc::kNotPermitted: return ErrorCode::kPolicyViolation;
    case Errc::kOutOfRange: return ErrorCode::kOffsetOutOfRange;
    case Errc::kTooLarge: return ErrorCode::kMessageTooLarge;
    case Errc::kCorrupt: return verb == Verb::append ? ErrorCode::kCorruptMessage : ErrorCode::kStorageError;
    case Errc::kUnsupported: return verb == Verb::append ? ErrorCode::kUnsupportedCompressionType : ErrorCode::kInvalidRequest;
    // No room: the client's retries are the back-pressure.
    case Errc::kFull:
    case Errc::kTimedOut:
    case Errc::kWouldBlock: return ErrorCode::kRequestTimedOut;
    case Errc::kNoSpace:
    case Errc::kReadOnly:
    case Errc::kIo: return ErrorCode::kStorageError;
    // The gateway or the daemon is going away or coming back; NOT_LEADER makes clients refresh and retry.
    case Errc::kCancelled:
    case Errc::kBusy:
    case Errc::kUnavailable:
    case Errc::kClosed: return ErrorCode::kNotLeaderOrFollower;
    case Errc::kDenied: return ErrorCode::kStorageError;
  }
  return ErrorCode::kUnknownServerError;
}

}  // namespace topicfs::kafka
