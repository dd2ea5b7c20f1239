// What the coordinator reads of members' metadata: the topics that a consumer has subscribed to. The bytes are the
// consumer protocol's (ConsumerProtocolSubscription); of all its versions the first fields are the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace topicfs::kafka {

inline constexpr std::string_view kConsumerProtocolType = "consumer";

/// nullopt if these bytes are no subscription.
std::optional<std::vector<std::string>> subscribed_topics(std::string_view metadata);

}  // namespace topicfs::kafka
