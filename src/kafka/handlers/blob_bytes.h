// Opaque bytes of groups in a response: referred to, not copied.
#pragma once

#include <topicfs/engine.h>

#include "kafka/group/types.h"

namespace topicfs::kafka {

inline Bytes bytes_of(Blob blob) {
  Bytes bytes;
  bytes.size = blob->size();
  if (bytes.size > 0) bytes.pieces.push_back(as_byte_span(*blob));
  bytes.pin = std::move(blob);
  return bytes;
}

}  // namespace topicfs::kafka
