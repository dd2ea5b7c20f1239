// What the append path needs of a topic's settings. All of them, and what they mean: base/topic_settings.h.
#pragma once

#include <topicfs/catalog.h>

#include "engine/partition.h"

namespace topicfs {

/// Hands the topic's settings to its partition; `default_max_message_bytes` counts where the topic sets none.
void apply_settings(const TopicSettings& settings, uint32_t default_max_message_bytes, Partition& partition);

}  // namespace topicfs
