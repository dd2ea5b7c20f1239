// What an object's key may look like, so that it is a safe relative path and needs no encoding in S3.
#pragma once

#include <string_view>

#include <topicfs/result.h>

namespace topicfs {

inline constexpr size_t kMaxObjectKeyBytes = 512;
inline constexpr size_t kMaxObjectKeyParts = 16;

/// 1 to kMaxObjectKeyParts parts of [A-Za-z0-9._-] between single slashes, none of which starts with a dot. kInvalidArgument.
Result<void> check_object_key(std::string_view key);

}  // namespace topicfs
