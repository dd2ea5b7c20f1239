// The registry: the only list of the APIs that are served. Dispatch, the answer of ApiVersions and
// the tests of all messages are generated from it.
#pragma once

#include <vector>

#include "kafka/messages/alter_configs.h"
#include "kafka/messages/api_versions.h"
#include "kafka/messages/create_acls.h"
#include "kafka/messages/create_partitions.h"
#include "kafka/messages/create_topics.h"
#include "kafka/messages/delete_groups.h"
#include "kafka/messages/delete_acls.h"
#include "kafka/messages/delete_records.h"
#include "kafka/messages/delete_topics.h"
#include "kafka/messages/describe_acls.h"
#include "kafka/messages/describe_cluster.h"
#include "kafka/messages/describe_configs.h"
#include "kafka/messages/describe_groups.h"
#include "kafka/messages/describe_log_dirs.h"
#include "kafka/messages/describe_topic_partitions.h"
#include "kafka/messages/elect_leaders.h"
#include "kafka/messages/fetch.h"
#include "kafka/messages/find_coordinator.h"
#include "kafka/messages/heartbeat.h"
#include "kafka/messages/incremental_alter_configs.h"
#include "kafka/messages/init_producer_id.h"
#include "kafka/messages/join_group.h"
#include "kafka/messages/leave_group.h"
#include "kafka/messages/list_groups.h"
#include "kafka/messages/list_offsets.h"
#include "kafka/messages/list_partition_reassignments.h"
#include "kafka/messages/metadata.h"
#include "kafka/messages/offset_commit.h"
#include "kafka/messages/offset_delete.h"
#include "kafka/messages/offset_fetch.h"
#include "kafka/messages/offset_for_leader_epoch.h"
#include "kafka/messages/produce.h"
#include "kafka/messages/sync_group.h"

namespace topicfs::kafka {

template <class Req, class Resp>
struct Api {
  using Request = Req;
  using Response = Resp;
  static constexpr int16_t key = Req::key;
  static constexpr Versions valid = Req::valid;
  static_assert(Req::valid == Resp::valid && Req::flexible == Resp::flexible);

  static constexpr Versions advertised() {
    if constexpr (requires { Req::advertised; }) return Req::advertised;
    else return Req::valid;
  }
};

template <class... A>
struct ApiList {
  /// Calls `visit(Api<...>{})` for each.
  template <class Visit>
  static constexpr void for_each(Visit visit) {
    (visit(A{}), ...);
  }
};

using Apis = ApiList<Api<ProduceRequest, ProduceResponse>,
                     Api<FetchRequest, FetchResponse>,
                     Api<ListOffsetsRequest, ListOffsetsResponse>,
                     Api<MetadataRequest, MetadataResponse>,
                     Api<OffsetCommitRequest, OffsetCommitResponse>,
                     Api<OffsetFetchRequest, OffsetFetchResponse>,
                     Api<FindCoordinatorRequest, FindCoordinatorResponse>,
                     Api<JoinGroupRequest, JoinGroupResponse>,
                     Api<HeartbeatRequest, HeartbeatResponse>,
                     Api<LeaveGroupRequest, LeaveGroupResponse>,
                     Api<SyncGroupRequest, SyncGroupResponse>,
                     Api<DescribeGroupsRequest, DescribeGroupsResponse>,
                     Api<ListGroupsRequest, ListGroupsResponse>,
                     Api<ApiVersionsRequest, ApiVersionsResponse>,
                     Api<CreateTopicsRequest, CreateTopicsResponse>,
                     Api<DeleteTopicsRequest, DeleteTopicsResponse>,
                     Api<DeleteRecordsRequest, DeleteRecordsResponse>,
                     Api<InitProducerIdRequest, InitProducerIdResponse>,
                     Api<DescribeAclsRequest, DescribeAclsResponse>,
                     Api<CreateAclsRequest, CreateAclsResponse>,
                     Api<DeleteAclsRequest, DeleteAclsResponse>,
                     Api<DescribeConfigsRequest, DescribeConfigsResponse>,
                     Api<AlterConfigsRequest, AlterConfigsResponse>,
                     Api<DescribeLogDirsRequest, DescribeLogDirsResponse>,
                     Api<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse>,
                     Api<CreatePartitionsRequest, CreatePartitionsResponse>,
                     Api<DeleteGroupsRequest, DeleteGroupsResponse>,
                     Api<OffsetDeleteRequest, OffsetDeleteResponse>,
                     Api<ElectLeadersRequest, ElectLeadersResponse>,
                     Api<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse>,
                     Api<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>,
                     Api<DescribeClusterRequest, DescribeClusterResponse>,
                     Api<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>>;

/// What ApiVersions answers, in the order of the list.
inline std::vector<ApiVersionsResponse::Api> advertised_apis() {
  std::vector<ApiVersionsResponse::Api> all;
  Apis::for_each([&]<class A>(A) { all.push_back({A::key, A::advertised().first, A::advertised().last}); });
  return all;
}

}  // namespace topicfs::kafka
