// Log lines for operators, to standard error or syslog: LOG_INFO("offloaded {} bytes", n).
// spdlog stays behind this header.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace topicfs {

enum class LogLevel { debug, info, warning, error };

/// Lines below `level` are dropped; the others go to standard error. `program` names us there.
void set_up_logging(std::string_view program, LogLevel level);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view line);

template <class... Args>
void log_format(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace topicfs

#define LOG_DEBUG(...) ::topicfs::log_format(::topicfs::LogLevel::debug, __VA_ARGS__)
#define LOG_INFO(...) ::topicfs::log_format(::topicfs::LogLevel::info, __VA_ARGS__)
#define LOG_WARNING(...) ::topicfs::log_format(::topicfs::LogLevel::warning, __VA_ARGS__)
#define LOG_ERROR(...) ::topicfs::log_format(::topicfs::LogLevel::error, __VA_ARGS__)
