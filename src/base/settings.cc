#include "base/settings.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/setting_values.h"

namespace topicfs {
namespace {

constexpr size_t kMaxValueBytes = 4096;

tl::unexpected<Error> invalid(std::string what) { return fail(Errc::kInvalidArgument, std::move(what)); }

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    size_t bar = std::min(words.find('|'), words.size());
    if (words.substr(0, bar) == word) return true;
    words.remove_prefix(std::min(bar + 1, words.size()));
  }
  return false;
}

std::string format_as(SettingType type, int64_t value) {
  if (type == SettingType::bytes) return format_bytes(static_cast<uint64_t>(value));
  if (type == SettingType::duration) return format_duration(std::chrono::microseconds(value));
  return std::to_string(value);
}

Result<void> check_range(const Setting& setting, int64_t value) {
  if (value >= setting.least && value <= setting.most) return {};
  return invalid("must be from " + format_as(setting.type, setting.least) + " to " +
                 format_as(setting.type, setting.most));
}

/// Levenshtein's distance, for suggestions.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

const Setting* find_setting(std::string_view name) {
  auto all = all_settings();
  auto it = std::find_if(all.begin(), all.end(), [&](const Setting& s) { return s.name == name; });
  return it == all.end() ? nullptr : &*it;
}

std::string_view similar_setting(std::string_view name) {
  constexpr size_t kFarthest = 3, kLongestTried = 64;
  std::string_view best;
  size_t best_distance = kFarthest + 1;
  if (name.size() > kLongestTried) return best;
  for (const Setting& setting : all_settings()) {
    size_t distance = edit_distance(name, setting.name);
    if (distance < best_distance) best = setting.name, best_distance = distance;
  }
  return best;
}

std::string_view value_name(const Setting& setting) {
  switch (setting.type) {
    case SettingType::text:
      return "TEXT";
    case SettingType::path:
      return "PATH";
    case SettingType::boolean:
      return "yes|no";
    case SettingType::choice:
      return setting.choices;
    case SettingType::integer:
      return "N";
    case SettingType::bytes:
      return "BYTES";
    case SettingType::duration:
      return "TIME";
    case SettingType::address:
      return "HOST:PORT";
    case SettingType::store_url:
      return "URL";
  }
  return "";
}

std::string environment_name(std::string_view setting) {
  std::string name = "TOPICFS_";
  for (char c : setting) name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return name;
}

Result<void> check_value(const Setting& setting, std::string_view text) {
  if (text.empty()) return invalid("needs a value");
  if (text.size() > kMaxValueBytes) return invalid("is longer than 4096 bytes");
  if (text.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos) {
    return invalid("must be one line");
  }
  switch (setting.type) {
    case SettingType::text:
    case SettingType::path:
      return {};
    case SettingType::boolean:
      TRY(parse_boolean(text));
      return {};
    case SettingType::choice:
      if (has_word(setting.choices, text)) return {};
      return invalid("expected one of " + std::string(setting.choices));
    case SettingType::integer: {
      TRY_ASSIGN(int64_t value, parse_integer(text));
      return check_range(setting, value);
    }
    case SettingType::bytes: {
      TRY_ASSIGN(uint64_t value, parse_bytes(text));
      return check_range(setting, static_cast<int64_t>(value));
    }
    case SettingType::duration: {
      TRY_ASSIGN(auto value, parse_duration(text));
      return check_range(setting, value.count());
    }
    case SettingType::address:
      TRY(parse_address(text));
      return {};
    case SettingType::store_url:
      TRY(parse_store_url(text));
      return {};
  }
  return {};
}

Settings::Settings() {
  for (const Setting& setting : all_settings()) {
    values_[std::string(setting.name)] = {std::string(setting.default_value), Origin::default_value,
                                          "the default of " + std::string(setting.name)};
  }
}

Result<void> Settings::set(std::string_view name, std::string_view text, Origin origin, std::string where) {
  const Setting* setting = find_setting(name);
  if (!setting) {
    std::string_view similar = similar_setting(name);
    return invalid(where + ": there is no setting \"" + std::string(name) + "\"" +
                   (similar.empty() ? "" : "; did you mean \"" + std::string(similar) + "\"?"));
  }
  if (auto checked = check_value(*setting, text); !checked) {
    return invalid(where + ": \"" + std::string(text.substr(0, 100)) + "\": " + checked.error().what);
  }
  SettingValue& value = values_.find(name)->second;
  if (origin < value.origin) return {};
  if (origin == value.origin && value.text != text) {
    return invalid(where + ": \"" + std::string(text) + "\" contradicts \"" + value.text + "\" (" +
                   value.where + ")");
  }
  value = {std::string(text), origin, std::move(where)};
  return {};
}

const SettingValue& Settings::at(std::string_view name) const {
  auto it = values_.find(name);
  MUST(it != values_.end());
  return it->second;
}

uint64_t Settings::bytes(std::string_view name) const { return parse_bytes(text(name)).value(); }
std::chrono::microseconds Settings::duration(std::string_view name) const {
  return parse_duration(text(name)).value();
}
int64_t Settings::integer(std::string_view name) const { return parse_integer(text(name)).value(); }
bool Settings::boolean(std::string_view name) const { return parse_boolean(text(name)).value(); }

}  // namespace topicfs
