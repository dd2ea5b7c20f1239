// Reader: takes primitive values off bytes that came from a network. Nothing is trusted: every
// read is bounded by what remains, and the first fault sticks, so that callers check once, at the
// end. After a fault every read gives zero or nothing.
#pragma once

#include <string_view>

#include <topicfs/types.h>

namespace topicfs::kafka {

class Reader {
 public:
  /// Bounds the memory that decoding one message can take; all partitions of five large topics.
  static constexpr size_t kMaxElements = 500'000;

  explicit Reader(ByteSpan bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool ok() const { return fault_ == nullptr; }
  /// What was wrong, for the log; empty if nothing.
  std::string_view fault() const { return fault_ == nullptr ? std::string_view() : fault_; }
  /// `why` is a literal. The first fault stays.
  void fail(const char* why);

  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  int8_t int8() { return static_cast<int8_t>(big_endian<uint8_t>()); }
  int16_t int16() { return static_cast<int16_t>(big_endian<uint16_t>()); }
  int32_t int32() { return static_cast<int32_t>(big_endian<uint32_t>()); }
  int64_t int64() { return static_cast<int64_t>(big_endian<uint64_t>()); }
  uint16_t uint16() { return big_endian<uint16_t>(); }
  double float64();
  Uuid uuid();
  /// Unsigned LEB128 of at most 32 bits.
  uint32_t uvarint();
  /// Counts elements of arrays against kMaxElements; false, and a fault, beyond it.
  bool count_elements(size_t count);
  /// The next `size` bytes, where they are.
  ByteSpan take(size_t size);

 private:
  template <class T>
  T big_endian() {
    if (remaining() < sizeof(T)) [[unlikely]] return fail("cut off in a number"), T{};
    T value = 0;
    for (size_t i = 0; i < sizeof(T); i++)
      value = static_cast<T>((static_cast<uint64_t>(value) << 8) | static_cast<uint8_t>(at_[i]));
    at_ += sizeof(T);
    return value;
  }

  const std::byte* at_;
  const std::byte* end_;
  const char* fault_ = nullptr;
  size_t elements_ = 0;
};

}  // namespace topicfs::kafka
