#include "dump/printer.h"

#include <fmt/core.h>

#include "codec/base64.h"

namespace topicfs::dump {
namespace {

/// How long the UTF-8 character at the front is; 0 if there is none (RFC 3629).
size_t utf8_length(std::string_view s) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  unsigned char first = byte(0);
  if (first < 0x80) return 1;
  size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || s.size() < n) return 0;
  for (size_t i = 1; i < n; i++)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  bool bad = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) || (first == 0xf0 && byte(1) < 0x90) ||
             (first == 0xf4 && byte(1) > 0x8f);
  return bad ? 0 : n;
}

std::string json_string(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else out += c;
  }
  return out + '"';
}

}  // namespace

bool is_utf8(std::string_view s) {
  while (!s.empty()) {
    size_t n = utf8_length(s);
    if (n == 0) return false;
    s.remove_prefix(n);
  }
  return true;
}

std::string escaped(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    size_t n = utf8_length(s);
    char c = s.front();
    bool c1 = n == 2 && c == '\xc2' && static_cast<unsigned char>(s[1]) < 0xa0;  // controls too
    if (c == '\n') out += "\\n";
    else if (c == '\\') out += "\\\\";
    else if (n == 0 || c1 || static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c)), n = 1;
    else out += s.substr(0, n);
    s.remove_prefix(n);
  }
  return out;
}

void Printer::begin(std::string_view type, int depth) {
  if (form_ == Form::json) line_ = "{\"type\":" + json_string(type);
  else line_ = std::string(static_cast<size_t>(depth) * 2, ' ') + std::string(type);
}

void Printer::key(std::string_view name) {
  if (form_ == Form::json) line_ += "," + json_string(name) + ":";
  else line_ += fmt::format("  {} ", name);
}

void Printer::put(std::string_view name, uint64_t value) { key(name), line_ += std::to_string(value); }
void Printer::put(std::string_view name, int64_t value) { key(name), line_ += std::to_string(value); }

void Printer::put(std::string_view name, std::string_view value) {
  key(name);
  line_ += form_ == Form::json ? json_string(is_utf8(value) ? value : escaped(value)) : escaped(value);
}

void Printer::put_bytes(std::string_view name, std::string_view value) {
  if (form_ == Form::text || is_utf8(value)) return put(name, value);
  put(std::string(name) + "_base64", to_base64(value));
}

void Printer::put_json(std::string_view name, std::string_view json) {
  key(name);
  line_ += form_ == Form::json ? std::string(json) : escaped(json);
}

bool Printer::end() {
  line_ += form_ == Form::json ? "}\n" : "\n";
  return write_(line_);
}

}  // namespace topicfs::dump
