// Writer: builds one frame. Small values are copied into a buffer; large byte strings stay where
// they are and are only referred to, so that fetched batches leave by a gather write.
// The first fault (a value that the version cannot carry: a bug of ours) sticks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <topicfs/engine.h>

namespace topicfs::kafka {

class Writer {
 public:
  bool ok() const { return fault_.empty(); }
  const std::string& fault() const { return fault_; }
  void fail(std::string_view field, std::string_view why);

  void int8(int8_t v) { buffer_.push_back(static_cast<char>(v)); }
  void int16(int16_t v) { big_endian(static_cast<uint16_t>(v)); }
  void int32(int32_t v) { big_endian(static_cast<uint32_t>(v)); }
  void int64(int64_t v) { big_endian(static_cast<uint64_t>(v)); }
  void uint16(uint16_t v) { big_endian(v); }
  void float64(double v);
  void uuid(const Uuid& id);
  void uvarint(uint32_t v);
  void copy(ByteSpan bytes);
  /// Refers to `bytes.pieces` and keeps `bytes.pin` as long as this Writer lives.
  void refer(const Bytes& bytes);
  /// Appends all that `other` has, references included.
  void append(Writer&& other);

  size_t size() const { return buffer_.size() + referred_size_; }
  /// Overwrites the four bytes at `at` of the copied part: frame sizes, known only at the end.
  void patch_int32(size_t at, int32_t v);
  /// Everything written, in order; valid until the next write.
  template <class Visit>
  void for_each_piece(Visit visit) const {
    size_t at = 0;
    for (const Reference& r : references_) {
      if (r.at > at) visit(as_byte_span(std::string_view(buffer_).substr(at, r.at - at)));
      at = r.at;
      visit(r.bytes);
    }
    if (buffer_.size() > at) visit(as_byte_span(std::string_view(buffer_).substr(at)));
  }
  /// All of it in one string, for tests and small frames.
  std::string flat() const;

 private:
  template <class T>
  void big_endian(T v) {
    char bytes[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); i++) bytes[i] = static_cast<char>(v >> (8 * (sizeof(T) - 1 - i)));
    buffer_.append(bytes, sizeof(T));
  }

  struct Reference {
    size_t at;  ///< of the copied part: the reference stands in front of this byte
    ByteSpan bytes;
  };
  std::string buffer_;
  std::vector<Reference> references_;
  std::vector<Pin> pins_;
  size_t referred_size_ = 0;
  std::string fault_;
};

}  // namespace topicfs::kafka
