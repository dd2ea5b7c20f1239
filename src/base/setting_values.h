// The types that settings have, as text that people write: "64MiB", "2ms", "127.0.0.1:9092".
// Errors name what was expected and nothing else; who knows the setting adds its name.
#pragma once

#include <topicfs/result.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace topicfs {

/// A whole number, then nothing, B, KiB, MiB, GiB or TiB (K, M, G, T are the same powers of 1,024).
Result<uint64_t> parse_bytes(std::string_view text);
/// The shortest form without a fraction: 67108864 is "64MiB", 1000 is "1000".
std::string format_bytes(uint64_t bytes);

/// A whole number, then us, ms, s, m, h or d; a unit is required, except for 0.
Result<std::chrono::microseconds> parse_duration(std::string_view text);
std::string format_duration(std::chrono::microseconds duration);

Result<int64_t> parse_integer(std::string_view text);

/// yes, true, on, 1; no, false, off, 0.
Result<bool> parse_boolean(std::string_view text);

/// Where to listen or connect. An IPv6 host stands in brackets as text, and bare here.
struct Address {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};
/// HOST:PORT, port 1 to 65535.
Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

/// The store: file:DIR or s3://BUCKET[/PREFIX]. Answers the text with DIR made absolute and without
/// slashes at the end.
Result<std::string> parse_store_url(std::string_view text);

/// Absolute, without "." and "..", seen from the working directory.
std::string absolute_path(std::string_view path);

}  // namespace topicfs
