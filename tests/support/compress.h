// Compressing encoders for tests, beside those of the product: other forms, and other people's defaults.
#pragma once

#include <string>
#include <string_view>

#include "codec/compression.h"

namespace topicfs::testing {

enum class SnappyForm { raw, xerial };

/// One payload as a Kafka client would make it. Xerial's blocks are 32 KiB.
std::string compress(Codec codec, std::string_view data, SnappyForm form = SnappyForm::xerial);

}  // namespace topicfs::testing
