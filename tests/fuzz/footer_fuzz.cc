// An object's trailer and footer, as a hostile store may send them. The checksums are put right,
// so that the fuzzer gets behind them. Input: footer position u64, footer bytes.
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "codec/crc32c.h"
#include "codec/endian.h"
#include "object/format.h"

using namespace topicfs;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteSpan input(reinterpret_cast<const std::byte*>(data), size);
  if (size >= kTrailerBytes) {
    std::vector<std::byte> last(input.end() - kTrailerBytes, input.end());
    (void)Trailer::parse(last, size);
    store_be<uint32_t>(last.data() + 20, crc32c(ByteSpan(last).first(20)));
    (void)Trailer::parse(last, size);
    (void)parse_object_header(input);
  }
  if (size < 8) return 0;
  ByteSpan bytes = input.subspan(8);
  Trailer trailer{load_be<uint64_t>(input.data()), static_cast<uint32_t>(bytes.size()), crc32c(bytes)};
  auto footer = Footer::parse(bytes, trailer);
  if (!footer) return 0;

  // What is accepted is consistent, and encodes to the same bytes.
  uint64_t end = kObjectHeaderBytes;
  for (const BlockEntry& b : footer->blocks) {
    MUST(b.position == end && footer->find(b.partition) && !footer->blocks_of(b.partition).empty());
    end += b.size;
  }
  for (const PartitionName& p : footer->partitions) MUST(p.topic < footer->topics.size());
  MUST(footer->encoded_size() == bytes.size());
  std::vector<std::byte> again(bytes.size());
  footer->encode(again);
  MUST(as_text(again) == as_text(bytes));
  return 0;
}
