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
    case Errc::kOutOfOrder:
    case Errc::kStaleEpoch:
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
    case Errc::kOutOfOrder: return ErrorCode::kOutOfOrderSequenceNumber;
    case Errc::kStaleEpoch: return ErrorCode::kInvalidProducerEpoch;
  }
  return ErrorCode::kUnknownServerError;
}

ErrorCode error_code_of(GroupError error) {
  switch (error) {
    case GroupError::none: return ErrorCode::kNone;
    case GroupError::coordinator_loading: return ErrorCode::kCoordinatorLoadInProgress;
    case GroupError::coordinator_not_available: return ErrorCode::kCoordinatorNotAvailable;
    case GroupError::not_coordinator: return ErrorCode::kNotCoordinator;
    case GroupError::inconsistent_protocol: return ErrorCode::kInconsistentGroupProtocol;
    case GroupError::invalid_group_id: return ErrorCode::kInvalidGroupId;
    case GroupError::unknown_member_id: return ErrorCode::kUnknownMemberId;
    case GroupError::invalid_session_timeout: return ErrorCode::kInvalidSessionTimeout;
    case GroupError::rebalance_in_progress: return ErrorCode::kRebalanceInProgress;
    case GroupError::illegal_generation: return ErrorCode::kIllegalGeneration;
    case GroupError::member_id_required: return ErrorCode::kMemberIdRequired;
    case GroupError::group_max_size_reached: return ErrorCode::kGroupMaxSizeReached;
    case GroupError::fenced_instance_id: return ErrorCode::kFencedInstanceId;
    case GroupError::group_id_not_found: return ErrorCode::kGroupIdNotFound;
    case GroupError::non_empty_group: return ErrorCode::kNonEmptyGroup;
    case GroupError::unknown_server_error: return ErrorCode::kUnknownServerError;
  }
  return ErrorCode::kUnknownServerError;
}

GroupError group_error_of(const Error& error) {
  switch (error.code) {
    case Errc::kFull:
    case Errc::kTimedOut:
    case Errc::kWouldBlock: return GroupError::coordinator_not_available;
    case Errc::kCancelled:
    case Errc::kBusy:
    case Errc::kUnavailable:
    case Errc::kClosed:
    case Errc::kNoSpace:
    case Errc::kReadOnly:
    case Errc::kIo: return GroupError::not_coordinator;
    case Errc::kNotFound: return GroupError::group_id_not_found;
    case Errc::kNotEmpty: return GroupError::non_empty_group;
    case Errc::kTooLarge:
    case Errc::kInvalidArgument:
    case Errc::kExists:
    case Errc::kNotPermitted:
    case Errc::kOutOfRange:
    case Errc::kCorrupt:
    case Errc::kUnsupported:
    case Errc::kOutOfOrder:
    case Errc::kStaleEpoch:
    case Errc::kDenied: return GroupError::unknown_server_error;
  }
  return GroupError::unknown_server_error;
}

}  // namespace topicfs::kafka
