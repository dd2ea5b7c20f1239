// encode(): writes a declared message. Only the overloads of put() at the leaves know compact from
// classic lengths.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "kafka/wire/field.h"
#include "kafka/wire/writer.h"

namespace topicfs::kafka {

/// The values of a message that nobody has touched.
template <Struct M>
const M& defaults() {
  static const M value{};
  return value;
}

template <class T>
inline constexpr bool kIsArray = std::is_same_v<T, ByteSpan>;
template <class T>
inline constexpr bool kIsArray<std::vector<T>> = true;

/// No message has an array whose default is not empty.
template <class T>
bool is_default(const T& value, const T& normal) {
  if constexpr (Struct<T>) {
    bool same = true;
    for_each_field<T>([&](const auto& f) { same = same && is_default(value.*f.member, normal.*f.member); });
    return same;
  } else if constexpr (requires { value.pieces; }) {
    return value.size == 0;
  } else if constexpr (requires { value.has_value(); }) {
    return value.has_value() == normal.has_value() && (!value || is_default(*value, *normal));
  } else if constexpr (kIsArray<T>) {
    return value.empty();
  } else {
    return value == normal;
  }
}

/// Who is being written, for errors, and how.
struct PutAs {
  Encoding encoding;
  std::string_view field;
  bool nullable = true;
};

inline void put_length(Writer& w, size_t size, PutAs as, size_t classic_max) {
  if (size >= std::numeric_limits<int32_t>::max() || (!as.encoding.flexible && size > classic_max))
    return w.fail(as.field, "too long");
  if (as.encoding.flexible) w.uvarint(static_cast<uint32_t>(size) + 1);
  else if (classic_max == 32767) w.int16(static_cast<int16_t>(size));
  else w.int32(static_cast<int32_t>(size));
}
inline constexpr size_t kShortLength = 32767;
inline constexpr size_t kLongLength = 0x7fffffff;

inline void put_null(Writer& w, PutAs as, size_t classic_max) {
  if (!as.nullable) return w.fail(as.field, "is null in a version where it must not be");
  if (as.encoding.flexible) w.uvarint(0);
  else if (classic_max == kShortLength) w.int16(-1);
  else w.int32(-1);
}

template <Struct M>
void encode(Writer& w, const M& message, Encoding encoding);

inline void put(Writer& w, bool v, PutAs) { w.int8(v ? 1 : 0); }
inline void put(Writer& w, int8_t v, PutAs) { w.int8(v); }
inline void put(Writer& w, int16_t v, PutAs) { w.int16(v); }
inline void put(Writer& w, int32_t v, PutAs) { w.int32(v); }
inline void put(Writer& w, int64_t v, PutAs) { w.int64(v); }
inline void put(Writer& w, uint16_t v, PutAs) { w.uint16(v); }
inline void put(Writer& w, double v, PutAs) { w.float64(v); }
inline void put(Writer& w, const Uuid& v, PutAs) { w.uuid(v); }
inline void put(Writer& w, std::string_view v, PutAs as) {
  put_length(w, v.size(), as, kShortLength);
  w.copy(as_byte_span(v));
}
inline void put(Writer& w, const std::string& v, PutAs as) { put(w, std::string_view(v), as); }
inline void put(Writer& w, ByteSpan v, PutAs as) {
  put_length(w, v.size(), as, kLongLength);
  w.copy(v);
}
/// Record batches: written by reference.
inline void put(Writer& w, const Bytes& v, PutAs as) {
  put_length(w, v.size, as, kLongLength);
  w.refer(v);
}
template <Struct M>
void put(Writer& w, const M& v, PutAs as) {
  encode(w, v, as.encoding);
}
template <class T>
void put(Writer& w, const std::vector<T>& v, PutAs as) {
  put_length(w, v.size(), as, kLongLength);
  as.nullable = false;
  for (const T& element : v) put(w, element, as);
}
template <class T>
void put(Writer& w, const std::optional<T>& v, PutAs as) {
  if constexpr (Struct<T>) {
    if (!v && !as.nullable) return w.fail(as.field, "is null in a version where it must not be");
    w.int8(v ? 1 : -1);
  } else if (!v) {
    constexpr bool is_text = std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;
    return put_null(w, as, is_text ? kShortLength : kLongLength);
  }
  if (v) put(w, *v, as);
}

template <Struct M>
void encode_tagged_fields(Writer& w, const M& message, Encoding encoding) {
  struct Tagged {
    uint32_t tag;
    Writer value;
  };
  std::vector<Tagged> tagged;  // in the order of the tags, which is the order of declaration
  for_each_field<M>([&](const auto& f) {
    if (!f.is_tagged_in(encoding.version)) return;
    if (is_default(message.*f.member, defaults<M>().*f.member)) return;
    Tagged& t = tagged.emplace_back(Tagged{f.tag, {}});
    put(t.value, message.*f.member, {encoding, f.name, f.nullable.contains(encoding.version)});
  });
  w.uvarint(static_cast<uint32_t>(tagged.size()));
  for (Tagged& t : tagged) {
    w.uvarint(t.tag);
    w.uvarint(static_cast<uint32_t>(t.value.size()));
    w.append(std::move(t.value));
  }
}

template <Struct M>
void encode(Writer& w, const M& message, Encoding encoding) {
  for_each_field<M>([&](const auto& f) {
    const auto& value = message.*f.member;
    if (f.is_plain_in(encoding.version)) {
      put(w, value, {encoding, f.name, f.nullable.contains(encoding.version)});
    } else if (!f.versions.contains(encoding.version) && !f.is_ignorable &&
               !is_default(value, defaults<M>().*f.member)) {
      w.fail(f.name, "has a value that this version cannot carry");
    }
  });
  if (encoding.flexible) encode_tagged_fields(w, message, encoding);
}

}  // namespace topicfs::kafka
