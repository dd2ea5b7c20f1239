#include "base/random.h"

#include <sys/random.h>

#include <cstring>

#include "base/check.h"

namespace topicfs {
namespace {

class SystemRandom final : public Random {
 public:
  uint64_t next() override {
    uint64_t value;
    MUST(::getrandom(&value, sizeof value, 0) == static_cast<ssize_t>(sizeof value));
    return value;
  }
};

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool dash_before(size_t byte) { return byte == 4 || byte == 6 || byte == 8 || byte == 10; }

}  // namespace

Random& system_random() {
  static SystemRandom random;
  return random;
}

Uuid random_uuid(Random& random) {
  Uuid id;
  uint64_t halves[2] = {random.next(), random.next()};
  std::memcpy(id.bytes.data(), halves, sizeof halves);
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::string to_string(const Uuid& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < id.bytes.size(); i++) {
    if (dash_before(i)) text += '-';
    text += kDigits[id.bytes[i] >> 4];
    text += kDigits[id.bytes[i] & 15];
  }
  return text;
}

bool parse_uuid(std::string_view text, Uuid& id) {
  if (text.size() != 36) return false;
  size_t at = 0;
  for (size_t i = 0; i < id.bytes.size(); i++) {
    if (dash_before(i) && text[at++] != '-') return false;
    int high = digit_of(text[at]), low = digit_of(text[at + 1]);
    if (high < 0 || low < 0) return false;
    id.bytes[i] = static_cast<uint8_t>(high * 16 + low);
    at += 2;
  }
  return true;
}

}  // namespace topicfs
