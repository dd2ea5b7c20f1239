#include "ctl/units.h"

#include <fmt/core.h>

#include <array>
#include <cmath>

namespace topicfs::ctl {
namespace {

/// 1.50, 15.0, 150: three digits that count.
std::string three_digits(double value) {
  int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
  return fmt::format("{:.{}f}", value, decimals);
}

}  // namespace

std::string with_separators(int64_t number) {
  std::string digits = fmt::format("{}", number);
  size_t first = digits.front() == '-' ? 1 : 0;
  for (size_t end = digits.size(); end > first + 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

std::string human_bytes(int64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes > -1024 && bytes < 1024) return fmt::format("{} B", bytes);
  double value = std::fabs(static_cast<double>(bytes));
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  return fmt::format("{}{} {}", bytes < 0 ? "-" : "", three_digits(value), kUnits[unit]);
}

std::string human_time(double microseconds) {
  if (!(microseconds > 0)) return microseconds < 0 ? "-" + human_time(-microseconds) : "0 s";
  if (microseconds < 1e3) return three_digits(microseconds) + " us";
  if (microseconds < 1e6) return three_digits(microseconds / 1e3) + " ms";
  if (microseconds < 60e6) return three_digits(microseconds / 1e6) + " s";
  int64_t seconds = static_cast<int64_t>(std::min(microseconds / 1e6, 9e15));
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{}h {}m", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{}d {}h", seconds / 86400, seconds / 3600 % 24);
}

std::string human_number(double number) {
  if (std::floor(number) == number && std::fabs(number) < 1e15)
    return with_separators(static_cast<int64_t>(number));
  return fmt::format("{:.2f}", number);
}

}  // namespace topicfs::ctl
