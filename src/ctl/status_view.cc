#include "ctl/status_view.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <vector>

#include "ctl/units.h"

namespace topicfs::ctl {
namespace {

constexpr int kMaxDepth = 8;
constexpr size_t kMaxElements = 20;  // of an array that is shown in one line

using rapidjson::Value;

struct Row {
  std::string label, value;
};
struct Group {
  std::string title;
  std::vector<Row> rows;
};

std::string_view text_of(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

/// Control characters would reach the terminal of whoever looks.
std::string printable(std::string_view text) {
  std::string out;
  for (char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::string spaced(std::string_view key) {
  std::string label = printable(key);
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

/// Without the unit, which the value shows, unless another member of `object` has that name.
std::string label_of(std::string_view key, const Value& object) {
  for (std::string_view unit : {"_bytes", "_ms", "_us"}) {
    if (key.size() <= unit.size() || !key.ends_with(unit)) continue;
    std::string_view bare = key.substr(0, key.size() - unit.size());
    if (!object.HasMember(Value(bare.data(), static_cast<rapidjson::SizeType>(bare.size())))) return spaced(bare);
  }
  return spaced(key);
}

std::string number_of(std::string_view key, const Value& value) {
  double number = value.GetDouble();
  if (key == "bytes" || key.ends_with("_bytes")) {
    return value.IsInt64() ? human_bytes(value.GetInt64())
                           : human_bytes(static_cast<int64_t>(std::min(number, 9e18)));
  }
  if (key.ends_with("_ms")) return human_time(number * 1e3);
  if (key.ends_with("_us")) return human_time(number);
  if (key.ends_with("_ratio")) return human_number(number * 100) + " %";
  if (value.IsInt64()) return with_separators(value.GetInt64());
  return human_number(number);
}

std::string scalar_of(std::string_view key, const Value& value) {
  if (value.IsNumber()) return number_of(key, value);
  if (value.IsString()) return printable(text_of(value));
  if (value.IsBool()) return value.GetBool() ? "yes" : "no";
  return "-";
}

std::string array_of(std::string_view key, const Value& array) {
  std::string line;
  size_t shown = std::min<size_t>(array.Size(), kMaxElements);
  for (size_t i = 0; i < shown; ++i) {
    const Value& element = array[static_cast<rapidjson::SizeType>(i)];
    bool nested = element.IsObject() || element.IsArray();
    line += (i ? ", " : "") + (nested ? "{...}" : scalar_of(key, element));
  }
  if (shown < array.Size()) line += ", ... (" + with_separators(array.Size()) + ")";
  return line.empty() ? "none" : line;
}

void add_members(const Value& object, const std::string& title, int depth, std::vector<Group>& groups) {
  size_t own = groups.size();
  groups.push_back({title, {}});
  for (const auto& member : object.GetObject()) {
    std::string_view key = text_of(member.name);
    if (member.value.IsObject()) {
      if (depth < kMaxDepth) {
        add_members(member.value, (title.empty() ? "" : title + " ") + spaced(key), depth + 1, groups);
      }
    } else if (member.value.IsArray()) {
      groups[own].rows.push_back({label_of(key, object), array_of(key, member.value)});
    } else {
      groups[own].rows.push_back({label_of(key, object), scalar_of(key, member.value)});
    }
  }
}

std::string render(const std::vector<Group>& groups) {
  size_t width = 0;
  for (const Group& group : groups) {
    for (const Row& row : group.rows) width = std::max(width, row.label.size());
  }
  std::string out;
  for (const Group& group : groups) {
    if (group.rows.empty()) continue;
    if (!group.title.empty()) out += (out.empty() ? "" : "\n") + group.title + "\n";
    for (const Row& row : group.rows) {
      out += (group.title.empty() ? "" : "  ") + row.label +
             std::string(width - row.label.size() + (group.title.empty() ? 4 : 2), ' ') + row.value + "\n";
    }
  }
  return out;
}

}  // namespace

Result<std::string> render_status(std::string_view json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError()) {
    return fail(Errc::kCorrupt,
                "the status is not JSON: " + std::string(GetParseError_En(document.GetParseError())) +
                    " at byte " + std::to_string(document.GetErrorOffset()));
  }
  if (!document.IsObject()) return fail(Errc::kCorrupt, "the status is not a JSON object");
  std::vector<Group> groups;
  add_members(document, "", 0, groups);
  return render(groups);
}

}  // namespace topicfs::ctl
