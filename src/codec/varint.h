// Variable-length integers: seven bits a byte, least significant first, the high bit says that
// another byte follows. Kafka's records use the zigzag forms (0, -1, 1, -2, ...), its flexible
// messages the unsigned one. Protocol Buffers encoding guide; KIP-98.
//
// Decoders take hostile bytes, in memory that another process may be changing: every byte is read
// exactly once, so what was checked is what is used.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace topicfs {

inline constexpr size_t kMaxVarintBytes = 5;
inline constexpr size_t kMaxVarlongBytes = 10;

/// One byte, read once: the compiler may not read it again later, as it may for a plain load.
inline uint8_t load_once(const std::byte* p) {
  return __atomic_load_n(reinterpret_cast<const uint8_t*>(p), __ATOMIC_RELAXED);
}

constexpr uint32_t zigzag(int32_t v) {
  return (static_cast<uint32_t>(v) << 1) ^ static_cast<uint32_t>(v >> 31);
}
constexpr uint64_t zigzag(int64_t v) {
  return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63);
}
constexpr int32_t unzigzag(uint32_t v) { return static_cast<int32_t>((v >> 1) ^ (0 - (v & 1))); }
constexpr int64_t unzigzag(uint64_t v) { return static_cast<int64_t>((v >> 1) ^ (0 - (v & 1))); }

/// Reads one unsigned integer from [p, end) into `value`; returns where it ended, or nullptr if it
/// is cut off, longer than its type allows, or does not fit.
template <class U>
inline const std::byte* decode_uvarint(const std::byte* p, const std::byte* end, U& value) {
  static_assert(std::is_same_v<U, uint32_t> || std::is_same_v<U, uint64_t>);
  constexpr unsigned kBits = sizeof(U) * 8;
  if (p == end) return nullptr;
  uint8_t byte = load_once(p++);
  U v = byte & 0x7f;
  for (unsigned shift = 7; byte >= 0x80; shift += 7) {
    if (p == end || shift >= kBits) return nullptr;
    byte = load_once(p++);
    const U bits = byte & 0x7f;
    if (shift + 7 > kBits && (bits >> (kBits - shift)) != 0) return nullptr;
    v |= bits << shift;
  }
  value = v;
  return p;
}

/// The zigzag forms: varint (int32_t) and varlong (int64_t).
template <class I>
inline const std::byte* decode_varint(const std::byte* p, const std::byte* end, I& value) {
  std::make_unsigned_t<I> raw{};
  p = decode_uvarint(p, end, raw);
  if (p) value = unzigzag(raw);
  return p;
}

/// Writes at most kMaxVarintBytes (32 bits) or kMaxVarlongBytes (64 bits); returns the end.
template <class U>
inline std::byte* encode_uvarint(std::byte* p, U value) {
  static_assert(std::is_same_v<U, uint32_t> || std::is_same_v<U, uint64_t>);
  for (; value >= 0x80; value >>= 7) *p++ = static_cast<std::byte>(value | 0x80);
  *p++ = static_cast<std::byte>(value);
  return p;
}
template <class I>
inline std::byte* encode_varint(std::byte* p, I value) {
  return encode_uvarint(p, zigzag(value));
}

template <class U>
constexpr size_t uvarint_size(U value) {
  return (static_cast<size_t>(std::bit_width(static_cast<U>(value | 1))) * 9 + 64) /
         64;  // bits / 7, rounded up
}
template <class I>
constexpr size_t varint_size(I value) {
  return uvarint_size(zigzag(value));
}

}  // namespace topicfs
