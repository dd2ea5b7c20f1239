// Source: a file, or an object of a store, of which parts are read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <topicfs/result.h>
#include <topicfs/types.h>

namespace topicfs::dump {

class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t size_bytes() const = 0;
  /// Exactly these; kCorrupt if it is shorter, and what reading it can fail with.
  virtual Result<std::vector<std::byte>> read(uint64_t position, uint64_t bytes) = 0;
};

}  // namespace topicfs::dump
