#include "base/setting_sources.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>

extern char** environ;

namespace topicfs {
namespace {

constexpr std::string_view kEnvironmentPrefix = "TOPICFS_";

// What fstab and mount(8) put into -o beside our settings. The kernel acts on the first kind; the second
// is mount(8)'s own business, or what every mount of ours has anyway.
constexpr auto kKernelOptions = std::to_array<std::string_view>(
    {"ro",          "rw",      "suid",    "nosuid",   "dev",        "nodev",    "exec",
     "noexec",      "atime",   "noatime", "diratime", "nodiratime", "relatime", "norelatime",
     "strictatime", "dirsync", "sync",    "async",    "mand",       "nomand"});
constexpr auto kIgnoredOptions = std::to_array<std::string_view>(
    {"defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "nofail", "_netdev",
     "remount", "default_permissions", "fsname", "subtype", "comment", "uhelper", "helper"});

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

template <class List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

struct FileCloser {
  void operator()(std::FILE* f) const { std::fclose(f); }
};

/// nullopt: there is no such file.
Result<std::optional<std::string>> read_file(const std::string& path) {
  std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "re"));
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return fail_errno("cannot read the configuration file " + path, errno);
  }
  std::string text(kMaxConfigFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get())) return fail_errno("cannot read the configuration file " + path, errno);
  if (text.size() > kMaxConfigFileBytes) {
    return fail(Errc::kTooLarge, "the configuration file " + path + " is longer than 1MiB");
  }
  return text;
}

/// One line of the file: nothing, a comment, or "name = value".
Result<void> apply_line(Settings& settings, std::string_view line, const std::string& place) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return {};
  size_t equals = line.find('=');
  if (equals == std::string_view::npos) {
    return fail(Errc::kInvalidArgument, place + ": expected \"name = value\" or a # comment");
  }
  std::string_view name = trimmed(line.substr(0, equals));
  if (name == "config") return fail(Errc::kInvalidArgument, place + ": config cannot be set in a file");
  std::string where = place + (find_setting(name) ? ": " + std::string(name) : "");
  return settings.set(name, trimmed(line.substr(equals + 1)), Origin::file, std::move(where));
}

Result<void> apply_file(Settings& settings, const std::string& path, bool must_exist) {
  TRY_ASSIGN(auto text, read_file(path));
  if (!text) {
    if (!must_exist) return {};
    return fail(Errc::kNotFound,
                "there is no configuration file " + path + " (" + settings.at("config").where + ")");
  }
  std::string_view rest = *text;
  for (int number = 1; !rest.empty(); ++number) {
    size_t end = std::min(rest.find('\n'), rest.size());
    TRY(apply_line(settings, rest.substr(0, end), path + ":" + std::to_string(number)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

/// The row whose variable this is, or nullptr.
const Setting* setting_of_variable(std::string_view variable) {
  for (const Setting& setting : all_settings()) {
    if (environment_name(setting.name) == variable) return &setting;
  }
  return nullptr;
}

Result<void> apply_environment(Settings& settings, const StartInputs& inputs,
                               std::vector<std::string>& warnings) {
  for (const auto& [variable, value] : inputs.environment) {
    if (!variable.starts_with(kEnvironmentPrefix)) continue;
    if (const Setting* setting = setting_of_variable(variable)) {
      TRY(settings.set(setting->name, value, Origin::environment, variable + " in the environment"));
    } else {
      warnings.push_back("the environment variable " + variable + " names no setting and is ignored");
    }
  }
  return {};
}

/// One element of -o. allow_other and allow-other are the same.
Result<void> apply_mount_option(ReadSettings& read, const std::string& option) {
  size_t equals = option.find('=');
  std::string name = option.substr(0, equals);
  if (contains(kKernelOptions, option)) {
    read.kernel_options.push_back(option);
    return {};
  }
  if (contains(kIgnoredOptions, name) || name.starts_with("x-") || name.starts_with("X-")) return {};
  std::replace(name.begin(), name.end(), '_', '-');
  const Setting* setting = find_setting(name);
  bool is_switch = setting && (setting->type == SettingType::boolean || name == "allow-other");
  std::string value = equals != std::string::npos ? option.substr(equals + 1) : is_switch ? "yes" : "";
  return read.settings.set(name, value, Origin::command_line, "-o " + option.substr(0, equals));
}

Result<void> apply_command_line(ReadSettings& read, const CommandLine& command_line) {
  for (const auto& [name, value] : command_line.flags) {
    TRY(read.settings.set(name, value, Origin::command_line, "--" + name));
  }
  for (const std::string& option : command_line.mount_options) TRY(apply_mount_option(read, option));
  return {};
}

}  // namespace

StartInputs start_inputs(int argc, char** argv) {
  StartInputs inputs;
  inputs.arguments.assign(argv + std::min(argc, 1), argv + argc);
  inputs.is_root = ::geteuid() == 0;
  for (char** entry = environ; entry && *entry; ++entry) {
    std::string_view variable = *entry;
    size_t equals = std::min(variable.find('='), variable.size() - 1);
    std::string name(variable.substr(0, equals));
    if (name.starts_with(kEnvironmentPrefix) || name == "HOME" || name == "XDG_STATE_HOME") {
      inputs.environment[name] = variable.substr(equals + 1);
    }
  }
  return inputs;
}

Result<ReadSettings> read_settings(const CommandLine& command_line, const StartInputs& inputs) {
  // The command line is applied twice: first to learn which file it names, then, as `set` demands,
  // in the order of precedence.
  ReadSettings named;
  TRY(apply_environment(named.settings, inputs, named.warnings));
  TRY(apply_command_line(named, command_line));

  ReadSettings read;
  read.operands = command_line.operands;
  bool must_exist = named.settings.is_set("config");
  const std::string& path = must_exist ? named.settings.text("config") : inputs.config_file;
  if (must_exist) {
    const SettingValue& config = named.settings.at("config");
    TRY(read.settings.set("config", config.text, Origin::file, config.where));
  }
  TRY(apply_file(read.settings, path, must_exist));
  TRY(apply_environment(read.settings, inputs, read.warnings));
  TRY(apply_command_line(read, command_line));
  return read;
}

}  // namespace topicfs
