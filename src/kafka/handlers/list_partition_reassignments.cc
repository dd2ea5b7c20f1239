// ListPartitionReassignments: there is nowhere that a partition could be moving to.

#include "kafka/handlers/call.h"
#include "kafka/messages/list_partition_reassignments.h"

namespace topicfs::kafka {

void handle(Gateway&, CallPtr<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse> call) {
  call->response.error_message.reset();
}

template std::unique_ptr<Exchange> new_call<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
