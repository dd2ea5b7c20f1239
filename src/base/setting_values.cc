#include "base/setting_values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <utility>

namespace topicfs {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr std::array<Unit, 10> kByteUnits{{{"TiB", 1ull << 40},
                                           {"GiB", 1ull << 30},
                                           {"MiB", 1ull << 20},
                                           {"KiB", 1ull << 10},
                                           {"T", 1ull << 40},
                                           {"G", 1ull << 30},
                                           {"M", 1ull << 20},
                                           {"K", 1ull << 10},
                                           {"B", 1},
                                           {"", 1}}};

constexpr std::array<Unit, 6> kTimeUnits{{{"d", 86'400'000'000},
                                          {"h", 3'600'000'000},
                                          {"m", 60'000'000},
                                          {"s", 1'000'000},
                                          {"ms", 1'000},
                                          {"us", 1}}};

struct Quantity {
  uint64_t count;
  std::string_view unit;
};

/// "64MiB" is 64 and "MiB".
std::optional<Quantity> split_quantity(std::string_view text) {
  uint64_t count = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return Quantity{count, text.substr(static_cast<size_t>(end - text.data()))};
}

/// count * factor of the unit, if there is such a unit and it fits.
template <size_t N>
std::optional<uint64_t> scaled(const Quantity& quantity, const std::array<Unit, N>& units) {
  constexpr uint64_t kMax = INT64_MAX;  // so that sums and signed uses are safe too
  for (const Unit& unit : units) {
    if (unit.name != quantity.unit) continue;
    if (quantity.count > kMax / unit.factor) return std::nullopt;
    return quantity.count * unit.factor;
  }
  return std::nullopt;
}

template <size_t N>
std::string shortest(uint64_t value, const std::array<Unit, N>& units, std::string_view zero) {
  if (value == 0) return std::string(zero);
  for (const Unit& unit : units) {
    if (unit.factor > 1 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value) + std::string(units.back().name);
}

tl::unexpected<Error> expected_form(std::string_view form) {
  return fail(Errc::kInvalidArgument, "expected " + std::string(form));
}

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 255 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
             std::string_view::npos;
}

std::string_view without_last_slashes(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

}  // namespace

Result<uint64_t> parse_bytes(std::string_view text) {
  auto quantity = split_quantity(text);
  auto bytes = quantity ? scaled(*quantity, kByteUnits) : std::nullopt;
  if (!bytes) return expected_form("a size such as 4096, 64KiB, 512MiB or 4GiB");
  return *bytes;
}

std::string format_bytes(uint64_t bytes) { return shortest(bytes, kByteUnits, "0"); }

Result<std::chrono::microseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::microseconds(0);
  auto quantity = split_quantity(text);
  auto micros = quantity ? scaled(*quantity, kTimeUnits) : std::nullopt;
  if (!micros) return expected_form("a time with its unit, such as 500us, 2ms, 5s, 10m or 1h");
  return std::chrono::microseconds(*micros);
}

std::string format_duration(std::chrono::microseconds duration) {
  return shortest(static_cast<uint64_t>(duration.count()), kTimeUnits, "0s");
}

Result<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return expected_form("a whole number");
  }
  return value;
}

Result<bool> parse_boolean(std::string_view text) {
  for (auto word : {"yes", "true", "on", "1"}) {
    if (text == word) return true;
  }
  for (auto word : {"no", "false", "off", "0"}) {
    if (text == word) return false;
  }
  return expected_form("yes or no");
}

Result<Address> parse_address(std::string_view text) {
  constexpr std::string_view kForm = "HOST:PORT such as 127.0.0.1:9092 or [::1]:9092";
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return expected_form(kForm);
  std::string_view host = text.substr(0, colon);
  bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  bool is_ipv6 = host.find(':') != std::string_view::npos;
  auto unfit = [](char c) { return c <= ' ' || c >= 0x7f || std::string_view("[]/,").find(c) != std::string_view::npos; };
  if (host.empty() || bracketed != is_ipv6 || std::any_of(host.begin(), host.end(), unfit)) return expected_form(kForm);
  auto port = parse_integer(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65535) return expected_form(kForm);
  return Address{std::string(host), static_cast<uint16_t>(*port)};
}

std::string to_string(const Address& address) {
  bool bare_ipv6 = address.host.find(':') != std::string::npos;
  return (bare_ipv6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Result<std::string> parse_store_url(std::string_view text) {
  constexpr std::string_view kForm = "file:DIR or s3://BUCKET/PREFIX";
  if (text.starts_with("file:")) {
    std::string_view path = text.substr(5);
    if (path.starts_with("//")) path = path.substr(2);  // file:///var/... as browsers write it
    if (path.empty()) return expected_form(kForm);
    return "file:" + absolute_path(path);
  }
  if (text.starts_with("s3://")) {
    std::string_view rest = without_last_slashes(text.substr(5));
    std::string_view bucket = rest.substr(0, rest.find('/'));
    if (!is_bucket_name(bucket)) return expected_form(kForm);
    return "s3://" + std::string(rest);
  }
  return expected_form(kForm);
}

std::string absolute_path(std::string_view path) {
  std::error_code ignored;  // without a working directory a relative path stays relative
  auto absolute = std::filesystem::absolute(std::filesystem::path(path), ignored);
  return std::string(without_last_slashes(absolute.lexically_normal().string()));
}

}  // namespace topicfs
