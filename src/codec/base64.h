// Base64 with padding (RFC 4648, section 4), for opaque bytes in JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace topicfs {

std::string to_base64(std::string_view bytes);
/// nullopt if `text` is not what to_base64 writes.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace topicfs
