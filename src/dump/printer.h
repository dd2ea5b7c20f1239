// Printer: one thing a line, as text that people read or as JSON. What it prints came from bytes that may be
// anything, so control characters never reach the terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <topicfs/types.h>

namespace topicfs::dump {

enum class Form { text, json };

class Printer {
 public:
  /// `write` gets whole lines with their end; false: nobody reads them any more.
  using Write = std::function<bool(std::string_view line)>;
  Printer(Form form, Write write) : form_(form), write_(std::move(write)) {}

  /// A line is what it is about, and then its members. `depth` indents text.
  void begin(std::string_view type, int depth = 0);
  void put(std::string_view name, uint64_t value);
  void put(std::string_view name, int64_t value);
  void put(std::string_view name, uint32_t value) { put(name, uint64_t{value}); }
  void put(std::string_view name, std::string_view value);
  void put(std::string_view name, const char* value) { put(name, std::string_view(value)); }
  void put(std::string_view name, const std::string& value) { put(name, std::string_view(value)); }
  /// Any bytes: JSON has them in base64 under NAME_base64 if they are not UTF-8.
  void put_bytes(std::string_view name, std::string_view value);
  /// Text that is JSON already.
  void put_json(std::string_view name, std::string_view json);
  /// Answers false if the output takes no more.
  bool end();

 private:
  void key(std::string_view name);

  const Form form_;
  Write write_;
  std::string line_;
};

/// Letters as they are; control characters, backslashes and what is not UTF-8 as \xNN, \n, \\.
std::string escaped(std::string_view bytes);
bool is_utf8(std::string_view bytes);

}  // namespace topicfs::dump
