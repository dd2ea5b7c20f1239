// InitProducerId, for idempotent producers. Transactions are not served.

#include "kafka/handlers/call.h"
#include "kafka/handlers/error_map.h"
#include "kafka/messages/init_producer_id.h"

namespace topicfs::kafka {

void handle(Gateway& gateway, CallPtr<InitProducerIdRequest, InitProducerIdResponse> call) {
  const InitProducerIdRequest& request = call->request;
  auto refuse = [&](ErrorCode code) {
    call->response.error_code = code_of(code);
    call->response.producer_epoch = -1;
  };
  if (request.transactional_id && request.transactional_id->empty()) return refuse(ErrorCode::kInvalidRequest);
  if (request.transactional_id) return refuse(ErrorCode::kUnsupportedVersion);
  // Who has an id already wants another one (KIP-360); it has none only if it says so twice.
  if ((request.producer_id == -1) != (request.producer_epoch == -1)) return refuse(ErrorCode::kInvalidRequest);
  gateway.engine.allocate_producer_ids(1, [call](Result<int64_t> id) {
    if (id) {
      call->response.producer_id = *id;
      return;
    }
    call->response.error_code = code_of(error_code_of(id.error(), Verb::catalog));
    call->response.producer_epoch = -1;
  });
}

template std::unique_ptr<Exchange> new_call<InitProducerIdRequest, InitProducerIdResponse>(const RequestHeader&);

}  // namespace topicfs::kafka
