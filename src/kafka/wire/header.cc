#include "kafka/wire/header.h"

namespace topicfs::kafka {

RequestHeader read_header(Reader& r) {
  RequestHeader header;
  header.api_key = r.int16();
  header.api_version = r.int16();
  header.correlation_id = r.int32();
  int16_t length = r.int16();
  if (length < -1) r.fail("a client id of negative length");
  if (length >= 0) header.client_id = as_text(r.take(static_cast<size_t>(length)));
  return header;
}

void read_header_tags(Reader& r) {
  uint32_t count = r.uvarint();
  if (count > r.remaining() / 2) return r.fail("more tagged fields than bytes");
  for (uint32_t i = 0; i < count && r.ok(); i++) {
    r.uvarint();
    r.take(r.uvarint());
  }
}

void begin_response(Writer& w, const RequestHeader& request, bool flexible) {
  w.int32(0);
  w.int32(request.correlation_id);
  if (flexible && request.api_key != kApiVersionsKey) w.uvarint(0);
}

void end_response(Writer& w) { w.patch_int32(0, static_cast<int32_t>(w.size() - kFrameSizeBytes)); }

}  // namespace topicfs::kafka
