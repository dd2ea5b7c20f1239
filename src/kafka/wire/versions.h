// Versions: a range of the versions of one Kafka API.
#pragma once

#include <cstdint>

namespace topicfs::kafka {

struct Versions {
  static constexpr int16_t kNewest = 32767;
  int16_t first = 0;
  int16_t last = kNewest;

  constexpr bool contains(int16_t version) const { return first <= version && version <= last; }
  friend constexpr bool operator==(Versions, Versions) = default;
};

inline constexpr Versions kNoVersions{1, 0};

/// How one message is written: its version, and whether that version is a flexible one (KIP-482:
/// compact lengths and tagged fields).
struct Encoding {
  int16_t version = 0;
  bool flexible = false;
};

}  // namespace topicfs::kafka
