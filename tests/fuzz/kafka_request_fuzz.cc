// A client's bytes as the gateway takes them: cut into frames, header and request decoded. A request
// that decodes is encoded again, and that must decode to the same.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "kafka/messages/registry.h"
#include "kafka/server/frame_reader.h"
#include "kafka/wire/decode.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/header.h"
#include "kafka/wire/trace.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

constexpr size_t kMaxRequestBytes = 1 << 20;

template <class Req>
std::string encoded(const Req& request, Encoding encoding) {
  Writer w;
  encode(w, request, encoding);
  MUST(w.ok());
  return w.flat();
}

template <class Req>
void try_request(Reader& r, int16_t version) {
  Encoding encoding = encoding_of<Req>(version);
  if (encoding.flexible) read_header_tags(r);
  Req request, again;
  decode(r, request, encoding);
  if (!r.ok()) return;
  MUST(trace(request, version).size() <= kMaxTraceBytes + 3);
  std::string once = encoded(request, encoding);
  Reader second(as_byte_span(once));
  decode(second, again, encoding);
  MUST(second.ok() && second.remaining() == 0);
  MUST(encoded(again, encoding) == once);
}

void try_frame(ByteSpan frame) {
  Reader r(frame);
  RequestHeader header = read_header(r);
  if (!r.ok()) return;
  Apis::for_each([&]<class A>(A) {
    if (A::key == header.api_key && A::valid.contains(header.api_version))
      try_request<typename A::Request>(r, header.api_version);
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  HeapReceiveBuffers buffers(4 * kMaxRequestBytes);
  FrameReader reader(buffers, kMaxRequestBytes, [] { return Task([] {}); });
  ByteSpan rest(reinterpret_cast<const std::byte*>(data), size);
  while (!rest.empty()) {
    size_t given = 0;
    for (MutableByteSpan space : reader.space()) {
      size_t n = std::min(space.size(), rest.size());
      std::copy_n(rest.begin(), n, space.begin());
      rest = rest.subspan(n);
      given += n;
    }
    reader.received(given);
    while (true) {
      auto frame = reader.next();
      if (!frame) return 0;
      if (!*frame) break;
      try_frame((*frame)->buffer.bytes);
    }
  }
  return 0;
}
