// trace(): a declared message as text, for debug logs: {TopicData: [{Name: "orders", ...}]}.
// Bounded: long texts, arrays and bytes are cut and say so.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include <topicfs/engine.h>

#include "base/random.h"
#include "kafka/wire/field.h"

namespace topicfs::kafka {

inline constexpr size_t kMaxTraceBytes = 2000;
inline constexpr size_t kMaxTraceText = 100;

inline void trace_value(std::string& out, std::string_view v) {
  out += '"';
  for (char c : v.substr(0, kMaxTraceText)) out += (c < 0x20 || c == 0x7f) ? '?' : c;
  out += v.size() > kMaxTraceText ? "...\"" : "\"";
}
inline void trace_value(std::string& out, const std::string& v) { trace_value(out, std::string_view(v)); }
inline void trace_value(std::string& out, const Uuid& v) { out += to_string(v); }
inline void trace_value(std::string& out, ByteSpan v) { out += fmt::format("({} bytes)", v.size()); }
inline void trace_value(std::string& out, const Bytes& v) { out += fmt::format("({} bytes)", v.size); }
template <class T>
  requires std::is_arithmetic_v<T>
void trace_value(std::string& out, T v) {
  out += fmt::format("{}", v);
}
template <Struct M>
void trace_value(std::string& out, const M& message, int16_t version);

template <class T>
void trace_any(std::string& out, const T& v, int16_t version) {
  if (out.size() > kMaxTraceBytes) return;
  if constexpr (Struct<T>) {
    trace_value(out, v, version);
  } else if constexpr (requires { v.has_value(); }) {
    if (v) trace_any(out, *v, version);
    else out += "null";
  } else if constexpr (requires { v.capacity(); } && !std::is_same_v<T, std::string>) {
    out += '[';
    for (const auto& element : v) {
      if (out.back() != '[') out += ", ";
      trace_any(out, element, version);
      if (out.size() > kMaxTraceBytes) break;
    }
    out += ']';
  } else {
    trace_value(out, v);
  }
}

template <Struct M>
void trace_value(std::string& out, const M& message, int16_t version) {
  out += '{';
  for_each_field<M>([&](const auto& f) {
    if (!f.versions.contains(version) || out.size() > kMaxTraceBytes) return;
    if (out.back() != '{') out += ", ";
    out += f.name;
    out += ": ";
    trace_any(out, message.*f.member, version);
  });
  out += '}';
}

template <Struct M>
std::string trace(const M& message, int16_t version) {
  std::string out;
  trace_value(out, message, version);
  if (out.size() > kMaxTraceBytes) out.resize(kMaxTraceBytes), out += "...";
  return out;
}

}  // namespace topicfs::kafka
