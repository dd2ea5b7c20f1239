// Random: where identifiers and jitter come from. A simulation passes a seeded one.
#pragma once

#include <topicfs/types.h>

namespace topicfs {

/// Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
};

/// The kernel's (getrandom).
Random& system_random();

Uuid random_uuid(Random& random);
/// 8-4-4-4-12 lower-case hexadecimal digits.
std::string to_string(const Uuid& id);
/// False if `text` is not of that form.
bool parse_uuid(std::string_view text, Uuid& id);

}  // namespace topicfs
