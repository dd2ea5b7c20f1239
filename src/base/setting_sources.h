// Reads the settings of a program's start: defaults, then the configuration file, the environment, and
// the command line with its mount options; each wins over those before it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"

namespace topicfs {

inline constexpr std::string_view kDefaultConfigFile = "/etc/topicfs.conf";
inline constexpr size_t kMaxConfigFileBytes = 1 << 20;

/// What a process is started with; tests pass their own.
struct StartInputs {
  std::vector<std::string> arguments;              ///< without the program's name
  std::map<std::string, std::string> environment;  ///< the variables TOPICFS_*, XDG_STATE_HOME, HOME
  std::string config_file{kDefaultConfigFile};     ///< read if it exists and no other is named
  bool is_root = false;
};

/// Those of this process.
StartInputs start_inputs(int argc, char** argv);

/// argv, taken apart.
struct CommandLine {
  bool help = false, version = false;
  std::vector<std::pair<std::string, std::string>> flags;  ///< setting, value; in table order
  std::vector<std::string> mount_options;                  ///< -o, split at commas: "ro", "pool-size=1GiB"
  std::vector<std::string> operands;
};

/// Knows the flags of `program`. kInvalidArgument: an unknown flag, a missing value.
Result<CommandLine> parse_command_line(Program program, const std::vector<std::string>& arguments);

/// The text of --help.
std::string help_text(Program program);

/// All that a program learns from its start.
struct ReadSettings {
  Settings settings;
  std::vector<std::string> operands;
  /// -o options that are none of ours but the kernel's, to be passed on to mount(2): "ro", "nosuid".
  std::vector<std::string> kernel_options;
  /// Worth a log line: variables TOPICFS_* that name no setting. They are no error, because container
  /// platforms set such variables for services of that name.
  std::vector<std::string> warnings;
};

/// kInvalidArgument; the message names the place (flag, variable, file and line) and what is expected.
Result<ReadSettings> read_settings(const CommandLine& command_line, const StartInputs& inputs);

}  // namespace topicfs
