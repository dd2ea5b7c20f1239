// Random messages from their declarations: every field that the version has gets a random value,
// every other keeps its default.
#pragma once

#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "kafka/wire/field.h"

namespace topicfs::kafka {

/// Owns the text and bytes that the views of its messages refer to.
class RandomMessages {
 public:
  explicit RandomMessages(uint64_t seed) : random_(seed) {}

  template <Struct M>
  M make(int16_t version) {
    M message{};
    fill(message, version);
    return message;
  }

 private:
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }

  template <Struct M>
  void fill(M& message, int16_t version) {
    for_each_field<M>([&](const auto& f) {
      if (f.versions.contains(version)) value(message.*f.member, version, f.nullable.contains(version));
    });
  }
  template <class T>
  void value(std::optional<T>& v, int16_t version, bool nullable) {
    if (nullable && below(3) == 0) v.reset();
    else value(v.emplace(), version, false);
  }
  template <class T>
  void value(std::vector<T>& v, int16_t version, bool) {
    v.clear();
    for (size_t n = below(4); n > 0; n--) value(v.emplace_back(), version, false);
  }
  template <class T>
  void value(T& v, int16_t version, bool) {
    if constexpr (Struct<T>) {
      fill(v, version);
    } else if constexpr (std::is_same_v<T, bool>) {
      v = below(2) == 0;
    } else if constexpr (std::is_arithmetic_v<T>) {
      v = static_cast<T>(below(4) == 0 ? 0 : random_());
    } else if constexpr (std::is_same_v<T, Uuid>) {
      for (uint8_t& b : v.bytes) b = static_cast<uint8_t>(random_());
    } else if constexpr (std::is_same_v<T, Bytes>) {
      v = Bytes{};
      for (size_t n = below(3); n > 0; n--) v.pieces.push_back(as_byte_span(text()));
      for (ByteSpan piece : v.pieces) v.size += piece.size();
    } else if constexpr (std::is_same_v<T, ByteSpan>) {
      v = as_byte_span(text());
    } else {
      v = text();
    }
  }
  std::string_view text() {
    std::string& t = texts_.emplace_back(below(8) == 0 ? 300 : below(6), ' ');
    for (char& c : t) c = static_cast<char>(random_());
    return t;
  }

  std::mt19937_64 random_;
  std::deque<std::string> texts_;
};

}  // namespace topicfs::kafka
