#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

namespace topicfs {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static std::shared_ptr<spdlog::logger> it = [] {
    auto made = std::make_shared<spdlog::logger>("topicfs", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n %l %v", spdlog::pattern_time_type::utc);
    return made;
  }();
  return *it;
}

}  // namespace

void set_up_logging(std::string_view program, LogLevel level) {
  logger().set_pattern("%Y-%m-%dT%H:%M:%S.%eZ " + std::string(program) + " %l %v",
                       spdlog::pattern_time_type::utc);
  logger().set_level(spdlog_level(level));
  logger().flush_on(spdlog::level::debug);
}

bool log_enabled(LogLevel level) { return logger().should_log(spdlog_level(level)); }
void log_line(LogLevel level, std::string_view line) {
  logger().log(spdlog_level(level), fmt::string_view(line.data(), line.size()));
}

}  // namespace topicfs
