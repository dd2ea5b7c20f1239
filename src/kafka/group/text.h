// Text that came from a network, as it may stand in a line of the log.
#pragma once

#include <string>
#include <string_view>

namespace topicfs::kafka {

inline std::string printable(std::string_view text) {
  constexpr size_t kMaxShown = 120;
  std::string shown;
  for (char c : text.substr(0, kMaxShown)) shown += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
  if (text.size() > kMaxShown) shown += "...";
  return shown;
}

}  // namespace topicfs::kafka
