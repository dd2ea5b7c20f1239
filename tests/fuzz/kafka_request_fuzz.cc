// A client's bytes as the gateway takes them: cut into frames, header and request decoded, and what else the
// gateway reads of a request: what a consumer has subscribed to.
#include <algorithm>

#include "fuzz/kafka_round_trip.h"
#include "kafka/group/subscription.h"
#include "kafka/server/frame_reader.h"
#include "kafka/wire/header.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

constexpr size_t kMaxRequestBytes = 1 << 20;

void look_into(const auto&) {}
void look_into(const JoinGroupRequest& request) {
  for (const auto& protocol : request.protocols) {
    auto topics = subscribed_topics(as_text(protocol.metadata));
    if (!topics) continue;
    size_t bytes = 0;
    for (const auto& topic : *topics) bytes += 2 + topic.size();
    MUST(bytes < protocol.metadata.size());
  }
}

void try_frame(ByteSpan frame) {
  Reader r(frame);
  RequestHeader header = read_header(r);
  if (!r.ok()) return;
  Apis::for_each([&]<class A>(A) {
    if (A::key != header.api_key || !A::valid.contains(header.api_version)) return;
    if (encoding_of<typename A::Request>(header.api_version).flexible) read_header_tags(r);
    typename A::Request request;
    if (try_message(r, request, header.api_version)) look_into(request);
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
