// What a declared Kafka message must hold to: what decodes is encoded in a form that decodes to the same.
#pragma once

#include <string>

#include "base/check.h"
#include "kafka/messages/registry.h"
#include "kafka/wire/decode.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/trace.h"

namespace topicfs::kafka {

template <class M>
std::string encoded(const M& message, Encoding encoding) {
  Writer w;
  encode(w, message, encoding);
  MUST(w.ok());
  return w.flat();
}

/// Decodes an M; true, and the message checked, if it is one.
template <class M>
bool try_message(Reader& r, M& message, int16_t version) {
  Encoding encoding = encoding_of<M>(version);
  decode(r, message, encoding);
  if (!r.ok()) return false;
  MUST(trace(message, version).size() <= kMaxTraceBytes + 3);
  std::string once = encoded(message, encoding);
  Reader second(as_byte_span(once));
  M again;
  decode(second, again, encoding);
  MUST(second.ok() && second.remaining() == 0);
  MUST(encoded(again, encoding) == once);
  return true;
}

}  // namespace topicfs::kafka
