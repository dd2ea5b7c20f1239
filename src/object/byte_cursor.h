// Reading and writing fields one behind the other. The reader's failure is sticky, so that a
// parser checks once for a whole structure.
#pragma once

#include <concepts>
#include <cstring>
#include <string_view>

#include <topicfs/types.h>

#include "base/check.h"
#include "codec/endian.h"

namespace topicfs {

class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) : rest_(bytes) {}

  template <std::integral T>
  T take() {
    ByteSpan field = take_bytes(sizeof(T));
    return field.empty() ? T{} : load_be<T>(field.data());
  }
  Uuid take_uuid() {
    Uuid id;
    if (ByteSpan field = take_bytes(id.bytes.size()); !field.empty()) std::memcpy(id.bytes.data(), field.data(), field.size());
    return id;
  }
  /// Empty if there are not as many.
  ByteSpan take_bytes(size_t n) {
    if (failed_ || rest_.size() < n) return failed_ = true, ByteSpan{};
    ByteSpan taken = rest_.first(n);
    rest_ = rest_.subspan(n);
    return taken;
  }
  size_t left() const { return rest_.size(); }
  bool failed() const { return failed_; }

 private:
  ByteSpan rest_;
  bool failed_ = false;
};

/// The room is the caller's promise.
class ByteWriter {
 public:
  explicit ByteWriter(MutableByteSpan room) : room_(room) {}

  template <std::integral T>
  void put(T value) {
    store_be<T>(claim(sizeof(T)), value);
  }
  void put(const Uuid& id) { std::memcpy(claim(id.bytes.size()), id.bytes.data(), id.bytes.size()); }
  void put(std::string_view text) {
    std::byte* to = claim(text.size());
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
  }
  size_t written() const { return written_; }

 private:
  std::byte* claim(size_t n) {
    MUST(room_.size() - written_ >= n);
    std::byte* at = room_.data() + written_;
    written_ += n;
    return at;
  }
  MutableByteSpan room_;
  size_t written_ = 0;
};

}  // namespace topicfs
