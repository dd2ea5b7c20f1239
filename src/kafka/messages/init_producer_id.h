// InitProducerId: a producer id for idempotent producing. KIP-98, KIP-360.
#pragma once

#include <optional>
#include <string>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

struct InitProducerIdRequest {
  static constexpr int16_t key = 22;
  static constexpr Versions valid{0, 5}, flexible{2};
  std::optional<std::string> transactional_id = std::string();
  int32_t transaction_timeout_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  static constexpr auto fields() {
    using M = InitProducerIdRequest;
    return std::tuple{field("TransactionalId", &M::transactional_id, {0}),
                      field("TransactionTimeoutMs", &M::transaction_timeout_ms, {0}),
                      field("ProducerId", &M::producer_id, {3}), field("ProducerEpoch", &M::producer_epoch, {3})};
  }
};

struct InitProducerIdResponse {
  static constexpr Versions valid{0, 5}, flexible{2};
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;
  static constexpr auto fields() {
    using M = InitProducerIdResponse;
    return std::tuple{field("ThrottleTimeMs", &M::throttle_time_ms, {0}).ignorable(),
                      field("ErrorCode", &M::error_code, {0}), field("ProducerId", &M::producer_id, {0}),
                      field("ProducerEpoch", &M::producer_epoch, {0})};
  }
};

}  // namespace topicfs::kafka
