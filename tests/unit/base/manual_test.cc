// The manual pages and the table of settings say the same.
#include <doctest/doctest.h>

#include <fstream>
#include <map>

#include "base/setting_values.h"
#include "base/settings.h"

using namespace topicfs;

namespace {

/// What stands in a page under ".Bl" lists: the paragraph of each flag, by its name.
std::map<std::string, std::string> flags_in(const std::string& page) {
  std::ifstream file(std::string(MANUAL_DIR) + "/" + page);
  REQUIRE_MESSAGE(file, "cannot open " << page);
  const std::string item = ".It Fl Fl ";
  std::map<std::string, std::string> paragraphs;
  std::string name;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(item)) {
      name = line.substr(item.size(), line.find(' ', item.size()) - item.size());
    } else if (line.starts_with(".It") || line.starts_with(".El")) {
      name.clear();
    } else if (!name.empty()) {
      paragraphs[name] += line + "\n";
    }
  }
  return paragraphs;
}

/// "from 1MiB to 256MiB"; empty where any value of the type is allowed.
std::string range_of(const Setting& setting) {
  auto written = [&](int64_t value) {
    switch (setting.type) {
      case SettingType::bytes: return format_bytes(static_cast<uint64_t>(value));
      case SettingType::duration: return format_duration(std::chrono::microseconds(value));
      default: return std::to_string(value);
    }
  };
  return setting.most == 0 ? "" : "from " + written(setting.least) + " to " + written(setting.most);
}

void check_page(const std::string& page, Program program) {
  auto flags = flags_in(page);
  for (const Setting& setting : all_settings()) {
    std::string name(setting.name);
    CAPTURE(page);
    CAPTURE(name);
    CHECK((flags.count(name) == 1) == setting.belongs_to(program));
    if (setting.belongs_to(program)) {
      CHECK(flags[name].find(setting.default_value) != std::string::npos);
      CHECK_MESSAGE(flags[name].find(range_of(setting)) != std::string::npos, range_of(setting));
    }
    flags.erase(name);
  }
  flags.erase("help");
  flags.erase("version");
  for (const auto& flag : flags) FAIL_CHECK(page << " describes --" << flag.first << ", which is no setting");
}

}  // namespace

TEST_CASE("topicfs(8) describes every setting of the daemon with its default and its range, and no other") {
  check_page("topicfs.8", Program::daemon);
}

TEST_CASE("topicfs-kafka(8) describes every setting of the gateway with its default and its range, and no other") {
  check_page("topicfs-kafka.8", Program::gateway);
}
