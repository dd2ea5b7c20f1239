// Settings as people, files, xattrs and Kafka clients give them: "name=value". What is accepted is kept in a form that
// means the same.
#include <string>

#include "base/check.h"
#include "base/setting_values.h"
#include "base/settings.h"
#include "base/topic_settings.h"

using namespace topicfs;

namespace {

void try_topic_setting(std::string_view name, std::string_view value) {
  auto kept = parse_topic_setting(name, value);
  if (!kept) return;
  auto again = parse_topic_setting(name, *kept);
  MUST(again && *again == *kept);
  (void)parse_topic_settings({{std::string(name), *kept}});
}

void try_values(std::string_view text) {
  if (auto bytes = parse_bytes(text)) MUST(parse_bytes(format_bytes(*bytes)) == *bytes);
  if (auto time = parse_duration(text)) MUST(parse_duration(format_duration(*time)) == *time);
  if (auto address = parse_address(text)) MUST(parse_address(to_string(*address)) == *address);
  if (auto url = parse_store_url(text)) MUST(parse_store_url(*url) == *url);
  (void)parse_integer(text);
  (void)parse_boolean(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t equals = std::min(text.find('='), size);
  const std::string_view name = text.substr(0, equals), value = text.substr(std::min(equals + 1, size));
  try_topic_setting(name, value);
  try_values(value);
  Settings settings;
  if (settings.set(name, value, Origin::file, "here")) MUST(check_value(*find_setting(name), settings.at(name).text));
  return 0;
}
