// field(): how a message declares one of its members, once, for encoding, decoding, tracing and
// random tests. A message is a plain struct with
//
//   static constexpr int16_t key;                    // requests only
//   static constexpr Versions valid, flexible;       // top level only
//   static constexpr auto fields() { return std::tuple{field("Name", &M::name, {0}), ...}; }
//
// in the order of the wire. std::optional members are nullable, in all versions unless
// nullable_in() says otherwise. A member's default value is the one that a new M{} has. A value
// other than the default in a version that lacks the field is an error, unless it is ignorable.
#pragma once

#include <string_view>
#include <tuple>

#include "kafka/wire/versions.h"

namespace topicfs::kafka {

template <class M, class T>
struct Field {
  using Message = M;
  using Value = T;
  std::string_view name;
  T M::*member;
  Versions versions;
  Versions nullable{0};
  Versions tagged = kNoVersions;
  uint32_t tag = 0;
  bool is_ignorable = false;

  constexpr Field nullable_in(Versions v) const {
    Field f = *this;
    f.nullable = v;
    return f;
  }
  /// Stands in the tagged section of these versions, if its value is not the default.
  constexpr Field tagged_as(uint32_t number, Versions v) const {
    Field f = *this;
    f.tag = number, f.tagged = v;
    return f;
  }
  /// A value that the version lacks is left out silently.
  constexpr Field ignorable() const {
    Field f = *this;
    f.is_ignorable = true;
    return f;
  }
  constexpr bool is_plain_in(int16_t v) const { return versions.contains(v) && !tagged.contains(v); }
  constexpr bool is_tagged_in(int16_t v) const { return versions.contains(v) && tagged.contains(v); }
};

template <class M, class T>
constexpr Field<M, T> field(std::string_view name, T M::*member, Versions versions) {
  return Field<M, T>{name, member, versions};
}

/// A struct that lists its fields.
template <class M>
concept Struct = requires { M::fields(); };

/// Calls `visit(field)` for each field of M, in order.
template <Struct M, class Visit>
constexpr void for_each_field(Visit visit) {
  std::apply([&](const auto&... f) { (visit(f), ...); }, M::fields());
}

template <Struct M>
constexpr Encoding encoding_of(int16_t version) {
  return {version, M::flexible.contains(version)};
}

}  // namespace topicfs::kafka
