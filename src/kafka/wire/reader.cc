#include "kafka/wire/reader.h"

#include <bit>
#include <cstring>

namespace topicfs::kafka {

void Reader::fail(const char* why) {
  if (fault_ == nullptr) fault_ = why;
  at_ = end_;
}

double Reader::float64() { return std::bit_cast<double>(int64()); }

Uuid Reader::uuid() {
  Uuid id;
  if (ByteSpan bytes = take(id.bytes.size()); !bytes.empty()) std::memcpy(id.bytes.data(), bytes.data(), bytes.size());
  return id;
}

uint32_t Reader::uvarint() {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (at_ == end_) return fail("cut off in a varint"), 0;
    uint8_t byte = static_cast<uint8_t>(*at_++);
    if (shift == 28 && byte > 0x0f) break;
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail("a varint of more than 32 bits");
  return 0;
}

bool Reader::count_elements(size_t count) {
  elements_ += count;
  if (elements_ > kMaxElements) fail("too many elements in one message");
  return ok();
}

ByteSpan Reader::take(size_t size) {
  if (size > remaining()) return fail("a length beyond the end"), ByteSpan();
  ByteSpan taken(at_, size);
  at_ += size;
  return taken;
}

}  // namespace topicfs::kafka
