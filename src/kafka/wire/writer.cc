#include "kafka/wire/writer.h"

#include <bit>

namespace topicfs::kafka {

void Writer::fail(std::string_view field, std::string_view why) {
  if (!fault_.empty()) return;
  fault_ = std::string(field) + ": " + std::string(why);
}

void Writer::float64(double v) { int64(std::bit_cast<int64_t>(v)); }

void Writer::uuid(const Uuid& id) {
  buffer_.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

void Writer::uvarint(uint32_t v) {
  for (; v >= 0x80; v >>= 7) buffer_.push_back(static_cast<char>(v | 0x80));
  buffer_.push_back(static_cast<char>(v));
}

void Writer::copy(ByteSpan bytes) { buffer_.append(as_text(bytes)); }

void Writer::refer(const Bytes& bytes) {
  for (ByteSpan piece : bytes.pieces)
    if (!piece.empty()) references_.push_back({buffer_.size(), piece});
  referred_size_ += bytes.size;
  if (bytes.pin) pins_.push_back(bytes.pin);
}

void Writer::append(Writer&& other) {
  for (Reference r : other.references_) references_.push_back({buffer_.size() + r.at, r.bytes});
  buffer_ += other.buffer_;
  referred_size_ += other.referred_size_;
  for (Pin& pin : other.pins_) pins_.push_back(std::move(pin));
  if (fault_.empty()) fault_ = std::move(other.fault_);
}

void Writer::patch_int32(size_t at, int32_t v) {
  for (size_t i = 0; i < 4; i++) buffer_[at + i] = static_cast<char>(static_cast<uint32_t>(v) >> (24 - 8 * i));
}

std::string Writer::flat() const {
  std::string all;
  all.reserve(size());
  for_each_piece([&](ByteSpan piece) { all += as_text(piece); });
  return all;
}

}  // namespace topicfs::kafka
