// A compressed payload: the first byte chooses the codec, the rest is the payload.
#include <vector>

#include "base/check.h"
#include "codec/compression.h"

using namespace topicfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint64_t kMaxOutputBytes = 4 << 20;
  if (size == 0) return 0;
  const Codec codec = static_cast<Codec>(data[0] % 5);
  const ByteSpan payload = {reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  const ByteSpan pieces[] = {payload.first(payload.size() / 3), payload.subspan(payload.size() / 3)};
  uint64_t total = 0;
  const auto result = decompress(codec, PiecesSource(pieces), kMaxOutputBytes, [&](ByteSpan window) {
    MUST(!window.empty());
    total += window.size();
    return Flow::go_on;
  });
  MUST(total <= kMaxOutputBytes);
  if (!result)
    MUST(result.error().code == Errc::kCorrupt || result.error().code == Errc::kTooLarge ||
         result.error().code == Errc::kFull);
  return 0;
}
