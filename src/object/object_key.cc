#include "object/object_key.h"

#include <string>

namespace topicfs {

static bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

Result<void> check_object_key(std::string_view key) {
  auto refuse = [&](const char* why) {
    return fail(Errc::kInvalidArgument, "object key \"" + std::string(key.substr(0, 80)) + "\": " + why);
  };
  if (key.empty() || key.size() > kMaxObjectKeyBytes) return refuse("must have 1 to 512 bytes");
  char before = '/';
  size_t part = 0, slashes = 0;
  for (char c : key) {
    if (c == '/') {
      if (before == '/') return refuse("has an empty part");
      if (++slashes >= kMaxObjectKeyParts) return refuse("has more than 16 parts");
      part = 0;
    } else {
      if (!is_plain(c)) return refuse("may have only [A-Za-z0-9._/-]");
      if (before == '/' && c == '.') return refuse("has a part that starts with a dot");
      if (++part > 255) return refuse("has a part of more than 255 bytes");
    }
    before = c;
  }
  if (before == '/') return refuse("ends in a slash");
  return {};
}

}  // namespace topicfs
