#include "codec/crc32c.h"

#include <isa-l.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace topicfs {
namespace {

constexpr size_t kMaxIsalBytes = 1u << 30;   // its length is an int
constexpr size_t kCopyBlockBytes = 8 << 10;  // stays in the first-level cache between copy and check

// Polynomials over GF(2) modulo the Castagnoli one, reflected: bit 31 is x^0.
constexpr uint32_t kPolynomial = 0x82f63b78;

constexpr uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b >> 1) ^ ((b & 1) ? kPolynomial : 0);
  }
  return product;
}

// kPowers[k] is x^(8 * 2^k): what 2^k bytes do to a checksum in front of them.
constexpr std::array<uint32_t, 64> kPowers = [] {
  std::array<uint32_t, 64> powers{};
  powers[0] = 1u << 23;
  for (size_t k = 1; k < powers.size(); ++k) powers[k] = multiply(powers[k - 1], powers[k - 1]);
  return powers;
}();

}  // namespace

uint32_t crc32c(ByteSpan bytes, uint32_t seed) {
  uint32_t state = ~seed;
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), kMaxIsalBytes);
    auto* p = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));  // it only reads
    state = crc32_iscsi(p, static_cast<int>(n), state);
    bytes = bytes.subspan(n);
  }
  return ~state;
}

uint32_t crc32c(std::span<const ByteSpan> pieces, uint32_t seed) {
  for (ByteSpan piece : pieces) seed = crc32c(piece, seed);
  return seed;
}

uint32_t crc32c_combine(uint32_t a, uint32_t b, uint64_t b_size_bytes) {
  for (size_t k = 0; b_size_bytes != 0; b_size_bytes >>= 1, ++k) {
    if (b_size_bytes & 1) a = multiply(kPowers[k], a);
  }
  return a ^ b;
}

uint32_t crc32c_copy(std::byte* to, ByteSpan from, uint32_t seed) {
  while (!from.empty()) {
    const size_t n = std::min(from.size(), kCopyBlockBytes);
    std::memcpy(to, from.data(), n);
    seed = crc32c(ByteSpan(to, n), seed);
    to += n;
    from = from.subspan(n);
  }
  return seed;
}

}  // namespace topicfs
