// Stored records that are not what was stored: any count, length and window of text.
//   input := codec: 1 byte, record count: 1, text size: 2 (big-endian), skip: 2, records
#include <vector>

#include "base/check.h"
#include "codec/endian.h"
#include "record/text.h"

using namespace topicfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHeadBytes = 6;
  if (size < kHeadBytes) return 0;
  const ByteSpan input{reinterpret_cast<const std::byte*>(data), size};
  const ByteSpan records = input.subspan(kHeadBytes);
  const ByteSpan pieces[] = {records.first(records.size() / 2), {}, records.subspan(records.size() / 2)};
  const RecordsView view{pieces, 0, records.size(), static_cast<Codec>(data[0] % 5), data[1], false};
  const uint64_t text_size = load_be<uint16_t>(input.data() + 2);
  const uint64_t skip = load_be<uint16_t>(input.data() + 4);
  std::vector<std::byte> out(1000);
  const auto n = render_text(view, text_size, skip, out);
  if (n) MUST(*n == (skip >= text_size ? 0 : std::min<uint64_t>(text_size - skip, out.size())));
  TextGather gather(1000);
  const auto added = gather.add(view, text_size, skip);
  MUST(added.has_value() == n.has_value());
  MUST(gather.size() == (n ? *n : 0));
  return 0;
}
