// Big-endian integers in memory, as Kafka's formats write them. Nothing here checks bounds.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace topicfs {

/// The integer that starts at `p`; any alignment.
template <std::integral T>
inline T load_be(const std::byte* p) {
  std::make_unsigned_t<T> v;
  std::memcpy(&v, p, sizeof v);
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof v == 2) v = __builtin_bswap16(v);
    if constexpr (sizeof v == 4) v = __builtin_bswap32(v);
    if constexpr (sizeof v == 8) v = __builtin_bswap64(v);
  }
  return static_cast<T>(v);
}

/// Writes sizeof(T) bytes at `p`; any alignment.
template <std::integral T>
inline void store_be(std::byte* p, T value) {
  T v = value;
  if constexpr (sizeof v > 1) v = load_be<T>(reinterpret_cast<const std::byte*>(&value));
  std::memcpy(p, &v, sizeof v);
}

}  // namespace topicfs
