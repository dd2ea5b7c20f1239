// The words that every layer shares: strong types for the two coordinates of a partition, ids,
// and spans of bytes. Nothing here has behaviour.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace topicfs {

/// An integer that mixes with no other: `Strong + Rep` and `Strong - Strong` are all it can do.
template <class Tag, class Rep>
struct Strong {
  Rep v{};
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : v(value) {}
  friend constexpr auto operator<=>(Strong, Strong) = default;
  friend constexpr Strong operator+(Strong a, Rep n) { return Strong(static_cast<Rep>(a.v + n)); }
  friend constexpr Strong operator-(Strong a, Rep n) { return Strong(static_cast<Rep>(a.v - n)); }
  friend constexpr Rep operator-(Strong a, Strong b) { return static_cast<Rep>(a.v - b.v); }
  constexpr Strong& operator+=(Rep n) { return v = static_cast<Rep>(v + n), *this; }
};

/// Position of a record in its partition, counted in records. Gaps are legal.
using Offset = Strong<struct OffsetTag, int64_t>;
/// Position of a byte in a partition's text view (what the file shows). Gaps are legal.
using TextPosition = Strong<struct TextPositionTag, int64_t>;

/// Number of a partition within one store: given once, never reused, part of every log entry.
/// 0 is the internal partition of control records.
using PartitionId = Strong<struct PartitionIdTag, uint32_t>;
inline constexpr PartitionId kControlPartition{0};

/// Where a leader epoch began in a partition: at the first record that was appended in it. KIP-101.
struct EpochStart {
  int32_t epoch = 0;
  Offset start;
  friend constexpr auto operator<=>(const EpochStart&, const EpochStart&) = default;
};

/// Number of a topic within one store: given once, never reused; inode numbers come from it.
using TopicNumber = Strong<struct TopicNumberTag, uint32_t>;

/// Kafka's topic id, and the identity of a store. RFC 9562, random (version 4).
struct Uuid {
  std::array<uint8_t, 16> bytes{};
  friend constexpr auto operator<=>(const Uuid&, const Uuid&) = default;
  bool is_nil() const { return *this == Uuid{}; }
};

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline ByteSpan as_byte_span(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Time since the Unix epoch, as Kafka counts it.
using WallMilliseconds = std::chrono::duration<int64_t, std::milli>;
/// Time that never jumps; its zero means nothing.
using MonotonicTime = std::chrono::nanoseconds;

}  // namespace topicfs

template <class Tag, class Rep>
struct std::hash<topicfs::Strong<Tag, Rep>> {
  size_t operator()(topicfs::Strong<Tag, Rep> s) const noexcept { return std::hash<Rep>{}(s.v); }
};
template <>
struct std::hash<topicfs::Uuid> {
  size_t operator()(const topicfs::Uuid& u) const noexcept {
    return std::hash<std::string_view>{}({reinterpret_cast<const char*>(u.bytes.data()), u.bytes.size()});
  }
};
