// decode(): reads a declared message from hostile bytes. Strings viewed (std::string_view),
// ByteSpan and Bytes point into the input; the rest is copied. The count of an array is bounded by
// the bytes that remain, before memory is taken for it. Unknown tagged fields are skipped.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "kafka/wire/field.h"
#include "kafka/wire/reader.h"

namespace topicfs::kafka {

template <class T>
inline constexpr bool kIsText = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

/// The fewest bytes that a value of type T takes in this encoding.
template <class T>
constexpr size_t min_size(Encoding encoding) {
  if constexpr (kIsOptional<T>) {
    return Struct<typename T::value_type> ? 1 : min_size<typename T::value_type>(encoding);
  } else if constexpr (Struct<T>) {
    size_t sum = encoding.flexible ? 1 : 0;
    for_each_field<T>([&](const auto& f) {
      if (f.is_plain_in(encoding.version)) sum += min_size<typename std::remove_cvref_t<decltype(f)>::Value>(encoding);
    });
    return sum;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return sizeof(T);
  } else if constexpr (std::is_same_v<T, Uuid>) {
    return 16;
  } else {
    return encoding.flexible ? 1 : kIsText<T> ? 2 : 4;
  }
}

struct GetAs {
  Encoding encoding;
  bool nullable = true;
};

/// A length, or nothing for null, which any negative one means to Kafka. `is_short`: two bytes in the classic encoding, not four.
inline std::optional<size_t> get_length(Reader& r, Encoding encoding, bool is_short) {
  int32_t length = encoding.flexible ? static_cast<int32_t>(r.uvarint() - 1) : is_short ? r.int16() : r.int32();
  if (length < 0 || !r.ok()) return std::nullopt;
  return static_cast<size_t>(length);
}

template <Struct M>
void decode(Reader& r, M& message, Encoding encoding);

inline void get(Reader& r, bool& v, GetAs) { v = r.int8() != 0; }
inline void get(Reader& r, int8_t& v, GetAs) { v = r.int8(); }
inline void get(Reader& r, int16_t& v, GetAs) { v = r.int16(); }
inline void get(Reader& r, int32_t& v, GetAs) { v = r.int32(); }
inline void get(Reader& r, int64_t& v, GetAs) { v = r.int64(); }
inline void get(Reader& r, uint16_t& v, GetAs) { v = r.uint16(); }
inline void get(Reader& r, double& v, GetAs) { v = r.float64(); }
inline void get(Reader& r, Uuid& v, GetAs) { v = r.uuid(); }

template <class T>
void get_sized(Reader& r, T& v, size_t size, GetAs as) {
  if constexpr (requires { v.pieces; }) {
    v.pieces.assign(1, r.take(size));
    v.size = v.pieces[0].size();
  } else if constexpr (std::is_same_v<T, ByteSpan>) {
    v = r.take(size);
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
    v = as_text(r.take(size));
  } else {
    using Element = typename T::value_type;
    if (size > r.remaining() / std::max<size_t>(1, min_size<Element>(as.encoding)))
      return r.fail("more elements than bytes");
    if (!r.count_elements(size)) return;
    v.clear();
    v.reserve(size);
    as.nullable = false;
    for (size_t i = 0; i < size && r.ok(); i++) {
      v.emplace_back();
      get(r, v.back(), as);
    }
  }
}

template <class T>
void get(Reader& r, T& v, GetAs as) {
  if constexpr (Struct<T>) {
    decode(r, v, as.encoding);
  } else {
    auto size = get_length(r, as.encoding, kIsText<T>);
    if (!size) return r.fail("null where it must not be");
    get_sized(r, v, *size, as);
  }
}

template <class T>
void get(Reader& r, std::optional<T>& v, GetAs as) {
  if constexpr (Struct<T>) {
    if (r.int8() >= 0) decode(r, v.emplace(), as.encoding);
    else v.reset();
  } else if (auto size = get_length(r, as.encoding, kIsText<T>)) {
    get_sized(r, v.emplace(), *size, as);
  } else {
    v.reset();
  }
  if (!v && !as.nullable) r.fail("null where it must not be");
}

/// One tagged field: into its member if M has one with this tag, else skipped.
template <Struct M>
void decode_tagged_field(Reader& value, M& message, Encoding encoding, uint32_t tag) {
  bool known = false;
  for_each_field<M>([&](const auto& f) {
    if (known || f.tag != tag || !f.is_tagged_in(encoding.version)) return;
    known = true;
    get(value, message.*f.member, {encoding, f.nullable.contains(encoding.version)});
  });
  if (known && value.ok() && value.remaining() > 0) value.fail("a tagged field longer than its value");
}

template <Struct M>
void decode_tagged_fields(Reader& r, M& message, Encoding encoding) {
  uint32_t count = r.uvarint();
  if (count > r.remaining() / 2) return r.fail("more tagged fields than bytes");
  for (uint32_t i = 0; i < count && r.ok(); i++) {
    uint32_t tag = r.uvarint();
    Reader value(r.take(r.uvarint()));
    if (!r.ok()) return;
    decode_tagged_field(value, message, encoding, tag);
    if (!value.ok()) return r.fail(value.fault().data());
  }
}

template <Struct M>
void decode(Reader& r, M& message, Encoding encoding) {
  for_each_field<M>([&](const auto& f) {
    if (r.ok() && f.is_plain_in(encoding.version))
      get(r, message.*f.member, {encoding, f.nullable.contains(encoding.version)});
  });
  if (encoding.flexible) decode_tagged_fields(r, message, encoding);
}

}  // namespace topicfs::kafka
