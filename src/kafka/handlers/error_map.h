// From the engine's errors to Kafka's error codes, in one switch each way it depends on the request.
#pragma once

#include <topicfs/error.h>

#include "kafka/group/types.h"
#include "kafka/wire/error_code.h"

namespace topicfs::kafka {

/// What the engine was asked to do: some errors mean different things to Kafka's clients.
enum class Verb { append, read, catalog, group };

/// Retriable where trying again can help: clients retry on their own until their time-out.
ErrorCode error_code_of(const Error& error, Verb verb);

/// From the coordinator's errors, one to one.
ErrorCode error_code_of(GroupError error);
/// What members are told when the engine does not save their group.
GroupError group_error_of(const Error& error);

}  // namespace topicfs::kafka
