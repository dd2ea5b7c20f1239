// One function per API of the registry, each in a file of its own. They run on the connection's
// thread, in the order of its requests, and never block.
#pragma once

#include "kafka/handlers/exchange.h"
#include "kafka/handlers/gateway.h"
#include "kafka/wire/error_code.h"

namespace topicfs::kafka {

struct ProduceRequest;
struct ProduceResponse;
struct FetchRequest;
struct FetchResponse;
struct ListOffsetsRequest;
struct ListOffsetsResponse;
struct MetadataRequest;
struct MetadataResponse;
struct OffsetCommitRequest;
struct OffsetCommitResponse;
struct OffsetFetchRequest;
struct OffsetFetchResponse;
struct FindCoordinatorRequest;
struct FindCoordinatorResponse;
struct JoinGroupRequest;
struct JoinGroupResponse;
struct HeartbeatRequest;
struct HeartbeatResponse;
struct LeaveGroupRequest;
struct LeaveGroupResponse;
struct SyncGroupRequest;
struct SyncGroupResponse;
struct DescribeGroupsRequest;
struct DescribeGroupsResponse;
struct ListGroupsRequest;
struct ListGroupsResponse;
struct ApiVersionsRequest;
struct ApiVersionsResponse;
struct CreateTopicsRequest;
struct CreateTopicsResponse;
struct DeleteRecordsRequest;
struct DeleteRecordsResponse;
struct DeleteTopicsRequest;
struct DeleteTopicsResponse;
struct OffsetForLeaderEpochRequest;
struct OffsetForLeaderEpochResponse;
struct InitProducerIdRequest;
struct InitProducerIdResponse;
struct DescribeAclsRequest;
struct DescribeAclsResponse;
struct CreateAclsRequest;
struct CreateAclsResponse;
struct DeleteAclsRequest;
struct DeleteAclsResponse;
struct DescribeConfigsRequest;
struct DescribeConfigsResponse;
struct AlterConfigsRequest;
struct AlterConfigsResponse;
struct DescribeLogDirsRequest;
struct DescribeLogDirsResponse;
struct CreatePartitionsRequest;
struct CreatePartitionsResponse;
struct DeleteGroupsRequest;
struct DeleteGroupsResponse;
struct OffsetDeleteRequest;
struct OffsetDeleteResponse;
struct ElectLeadersRequest;
struct ElectLeadersResponse;
struct IncrementalAlterConfigsRequest;
struct IncrementalAlterConfigsResponse;
struct ListPartitionReassignmentsRequest;
struct ListPartitionReassignmentsResponse;
struct DescribeClusterRequest;
struct DescribeClusterResponse;
struct DescribeTopicPartitionsRequest;
struct DescribeTopicPartitionsResponse;

void handle(Gateway& gateway, CallPtr<ProduceRequest, ProduceResponse> call);
void handle(Gateway& gateway, CallPtr<FetchRequest, FetchResponse> call);
void handle(Gateway& gateway, CallPtr<ListOffsetsRequest, ListOffsetsResponse> call);
void handle(Gateway& gateway, CallPtr<MetadataRequest, MetadataResponse> call);
void handle(Gateway& gateway, CallPtr<OffsetCommitRequest, OffsetCommitResponse> call);
void handle(Gateway& gateway, CallPtr<OffsetFetchRequest, OffsetFetchResponse> call);
void handle(Gateway& gateway, CallPtr<FindCoordinatorRequest, FindCoordinatorResponse> call);
void handle(Gateway& gateway, CallPtr<JoinGroupRequest, JoinGroupResponse> call);
void handle(Gateway& gateway, CallPtr<HeartbeatRequest, HeartbeatResponse> call);
void handle(Gateway& gateway, CallPtr<LeaveGroupRequest, LeaveGroupResponse> call);
void handle(Gateway& gateway, CallPtr<SyncGroupRequest, SyncGroupResponse> call);
void handle(Gateway& gateway, CallPtr<DescribeGroupsRequest, DescribeGroupsResponse> call);
void handle(Gateway& gateway, CallPtr<ListGroupsRequest, ListGroupsResponse> call);
void handle(Gateway& gateway, CallPtr<ApiVersionsRequest, ApiVersionsResponse> call);
void handle(Gateway& gateway, CallPtr<CreateTopicsRequest, CreateTopicsResponse> call);
void handle(Gateway& gateway, CallPtr<DeleteTopicsRequest, DeleteTopicsResponse> call);
void handle(Gateway& gateway, CallPtr<DeleteRecordsRequest, DeleteRecordsResponse> call);
void handle(Gateway& gateway, CallPtr<InitProducerIdRequest, InitProducerIdResponse> call);
void handle(Gateway& gateway, CallPtr<OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse> call);
void handle(Gateway& gateway, CallPtr<CreatePartitionsRequest, CreatePartitionsResponse> call);
void handle(Gateway& gateway, CallPtr<DescribeAclsRequest, DescribeAclsResponse> call);
void handle(Gateway& gateway, CallPtr<CreateAclsRequest, CreateAclsResponse> call);
void handle(Gateway& gateway, CallPtr<DeleteAclsRequest, DeleteAclsResponse> call);
void handle(Gateway& gateway, CallPtr<DescribeConfigsRequest, DescribeConfigsResponse> call);
void handle(Gateway& gateway, CallPtr<AlterConfigsRequest, AlterConfigsResponse> call);
void handle(Gateway& gateway, CallPtr<IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse> call);
void handle(Gateway& gateway, CallPtr<DescribeLogDirsRequest, DescribeLogDirsResponse> call);
void handle(Gateway& gateway, CallPtr<DeleteGroupsRequest, DeleteGroupsResponse> call);
void handle(Gateway& gateway, CallPtr<OffsetDeleteRequest, OffsetDeleteResponse> call);
void handle(Gateway& gateway, CallPtr<ElectLeadersRequest, ElectLeadersResponse> call);
void handle(Gateway& gateway, CallPtr<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse> call);
void handle(Gateway& gateway, CallPtr<DescribeClusterRequest, DescribeClusterResponse> call);
void handle(Gateway& gateway, CallPtr<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse> call);

}  // namespace topicfs::kafka
