// From an API key and version to the exchange that answers it, generated from the registry.
#pragma once

#include <memory>

#include "kafka/handlers/exchange.h"

namespace topicfs::kafka {

/// Whether a request is served, known before its body is read. nullptr if it is, else why not.
/// ApiVersions is served in any version: an unknown one gets an answer that names the known ones.
const char* why_not_served(int16_t api_key, int16_t version);

/// A new exchange for a header for which why_not_served() is nullptr.
std::unique_ptr<Exchange> new_exchange(const RequestHeader& header);

}  // namespace topicfs::kafka
