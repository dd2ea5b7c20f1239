// argv by CLI11, which stays in this file, and the text of --help from the table.

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <map>

#include "base/setting_sources.h"

namespace topicfs {
namespace {

constexpr size_t kHelpColumn = 30, kHelpWidth = 100;
constexpr size_t kMaxOperands = 2;

struct Usage {
  std::string_view synopsis, purpose;
};

Usage usage_of(Program program) {
  switch (program) {
    case Program::daemon:
      return {"topicfs [OPTION]... MOUNTPOINT\n       topicfs SOURCE MOUNTPOINT [-o OPTION[,OPTION]...]",
              "Mounts topics as directories and partitions as append-only files; see topicfs(8).\n"
              "SOURCE, for mount(8) and fstab, is a store's URL, a data directory, or \"topicfs\"."};
    case Program::gateway:
      return {"topicfs-kafka [OPTION]...",
              "Serves the topics of a running topicfs to Kafka clients; see topicfs-kafka(8).\n"
              "topicfs --kafka HOST:PORT starts it."};
  }
  return {};
}

/// `text` in lines of kHelpWidth, the second and later ones indented.
std::string wrapped(std::string text, size_t indent) {
  std::string out;
  size_t width = kHelpWidth - indent;
  while (text.size() > width) {
    size_t space = text.rfind(' ', width);
    if (space == std::string::npos) break;
    out += text.substr(0, space) + "\n" + std::string(indent, ' ');
    text.erase(0, space + 1);
  }
  return out + text;
}

std::string help_line(const std::string& flag, std::string text) {
  std::string left = "  " + flag;
  std::string gap = left.size() + 2 > kHelpColumn ? "\n" + std::string(kHelpColumn, ' ')
                                                  : std::string(kHelpColumn - left.size(), ' ');
  return left + gap + wrapped(std::move(text), kHelpColumn) + "\n";
}

std::string help_of(const Setting& setting) {
  std::string flag = "--" + std::string(setting.name);
  if (setting.type != SettingType::boolean) flag += " " + std::string(value_name(setting));
  if (setting.type == SettingType::boolean && setting.default_value == "yes") flag += "=no";
  std::string text(setting.help);
  if (!setting.default_value.empty()) text += " [" + std::string(setting.default_value) + "]";
  return help_line(flag, std::move(text));
}

void split_at_commas(std::string_view list, std::vector<std::string>& out) {
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    if (comma > 0) out.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

tl::unexpected<Error> usage_error(std::string what) { return fail(Errc::kInvalidArgument, std::move(what)); }

tl::unexpected<Error> unknown_argument(const std::string& argument) {
  if (!argument.starts_with("-")) return usage_error("unexpected argument \"" + argument + "\"");
  std::string name = argument.substr(0, argument.find('='));
  std::string_view similar = similar_setting(name.substr(std::min(name.find_first_not_of('-'), name.size())));
  return usage_error("unknown option " + name +
                     (similar.empty() ? "" : "; did you mean --" + std::string(similar) + "?"));
}

}  // namespace

std::string help_text(Program program) {
  Usage usage = usage_of(program);
  std::string text = "Usage: " + std::string(usage.synopsis) + "\n" + std::string(usage.purpose) + "\n";
  std::string_view group;
  for (const Setting& setting : all_settings()) {
    if (!setting.belongs_to(program)) continue;
    if (setting.group != group) text += "\n" + std::string(group = setting.group) + ":\n";
    text += help_of(setting);
  }
  text += "\n" + help_line("--help, -h", "Print this and exit.") +
          help_line("--version", "Print the version and exit.");
  return text + "\n" +
         wrapped(
             "A setting may also stand in /etc/topicfs.conf (or the file of --config) as \"name = value\", "
             "or in the "
             "environment as TOPICFS_NAME (TOPICFS_POOL_SIZE=1GiB). The command line wins over the "
             "environment, "
             "which wins over the file.",
             0) +
         "\n";
}

Result<CommandLine> parse_command_line(Program program, const std::vector<std::string>& arguments) {
  CommandLine out;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.add_flag("-h,--help", out.help);
  app.add_flag("--version", out.version);
  std::map<std::string_view, std::vector<std::string>> values;
  std::vector<std::string> mount_options;
  for (const Setting& setting : all_settings()) {
    if (!setting.belongs_to(program)) continue;
    std::string flag = "--" + std::string(setting.name);
    if (setting.type == SettingType::boolean) {
      app.add_flag(flag, values[setting.name])->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    } else {
      app.add_option(flag, values[setting.name])->allow_extra_args(false);
    }
  }
  if (program == Program::daemon) {
    app.add_option("-o", mount_options)->allow_extra_args(false);
    app.add_option("operands", out.operands);
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them reversed
  } catch (const CLI::ArgumentMismatch& error) {
    std::string_view what = error.what();  // "--store: 1 required TEXT missing"
    return usage_error(std::string(what.substr(0, what.find(':'))) + " needs a value");
  } catch (const CLI::ParseError& error) {
    return usage_error(error.what());
  }
  if (out.help || out.version) return out;
  for (const std::string& extra : app.remaining()) {
    if (extra != "--") return unknown_argument(extra);
  }
  if (out.operands.size() > kMaxOperands) return unknown_argument(out.operands[kMaxOperands]);
  for (const auto& [name, texts] : values) {
    for (const std::string& text : texts) out.flags.emplace_back(name, text);
  }
  for (const std::string& list : mount_options) split_at_commas(list, out.mount_options);
  return out;
}

}  // namespace topicfs
