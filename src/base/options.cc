#include "base/options.h"

#include <bit>
#include <cstdio>

#include "base/check.h"

namespace topicfs {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr uint64_t kMinSegments = 4;  // one that fills, one that is ready, two that wait for offload

tl::unexpected<Error> invalid(std::string what) { return fail(Errc::kInvalidArgument, std::move(what)); }

milliseconds in_milliseconds(const Settings& settings, std::string_view name) {
  return duration_cast<milliseconds>(settings.duration(name));
}

LogLevel log_level_of(const Settings& settings) {
  const std::string& word = settings.text("log-level");
  if (word == "debug") return LogLevel::debug;
  if (word == "warning") return LogLevel::warning;
  if (word == "error") return LogLevel::error;
  return LogLevel::info;
}

std::string_view word_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

Choice choice_of(const Settings& settings, std::string_view name) {
  const std::string& word = settings.text(name);
  return word == "yes" ? Choice::yes : word == "no" ? Choice::no : Choice::automatic;
}

Result<std::string> data_dir_of(const Settings& settings, const StartInputs& inputs) {
  if (settings.is_set("data-dir")) return absolute_path(settings.text("data-dir"));
  if (inputs.is_root) return "/var/lib/topicfs";
  auto variable = [&](const char* name) {
    auto it = inputs.environment.find(name);
    return it == inputs.environment.end() ? std::string() : it->second;
  };
  if (auto state = variable("XDG_STATE_HOME"); state.starts_with("/"))
    return absolute_path(state + "/topicfs");
  if (auto home = variable("HOME"); home.starts_with("/"))
    return absolute_path(home + "/.local/state/topicfs");
  return invalid("name a data directory with --data-dir DIR: without HOME there is no default");
}

std::optional<Address> address_of(const Settings& settings, std::string_view name) {
  if (!settings.is_set(name)) return std::nullopt;
  return parse_address(settings.text(name)).value();
}

Result<GroupOptions> group_options(const Settings& settings) {
  GroupOptions groups;
  groups.initial_rebalance_delay = in_milliseconds(settings, "group-initial-rebalance-delay");
  groups.min_session_timeout = in_milliseconds(settings, "group-min-session-timeout");
  groups.max_session_timeout = in_milliseconds(settings, "group-max-session-timeout");
  groups.max_members = static_cast<uint32_t>(settings.integer("group-max-size"));
  groups.offsets_retention = in_milliseconds(settings, "offsets-retention");
  if (groups.min_session_timeout <= groups.max_session_timeout) return groups;
  return invalid("group-min-session-timeout " + settings.text("group-min-session-timeout") + " (" +
                 settings.at("group-min-session-timeout").where + ") must not be above group-max-session-timeout " +
                 settings.text("group-max-session-timeout") + " (" + settings.at("group-max-session-timeout").where + ")");
}

Result<KafkaOptions> kafka_options(const Settings& settings) {
  KafkaOptions kafka;
  kafka.listen = address_of(settings, "kafka");
  kafka.advertised = address_of(settings, "advertised-listener");
  kafka.default_partitions = static_cast<int32_t>(settings.integer("default-partitions"));
  kafka.auto_create_topics = settings.boolean("auto-create-topics");
  kafka.max_connections = static_cast<uint32_t>(settings.integer("max-connections"));
  kafka.max_fetch_sessions = static_cast<uint32_t>(settings.integer("max-fetch-sessions"));
  kafka.max_request_bytes = settings.bytes("max-request-size");
  TRY_ASSIGN(kafka.groups, group_options(settings));
  return kafka;
}

/// Whether `path` is `directory` or lies in it. Both are absolute and normal.
bool lies_in(std::string_view path, std::string_view directory) {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

/// What mount(8) and fstab pass before the mount point.
Result<void> apply_source(Settings& settings, const std::string& source) {
  if (source.starts_with("file:") || source.starts_with("s3:")) {
    return settings.set("store", source, Origin::command_line, "the source");
  }
  if (source.starts_with("/")) return settings.set("data-dir", source, Origin::command_line, "the source");
  if (source == "topicfs" || source == "none") return {};
  return invalid("the source \"" + source +
                 "\" is not a store's URL, an absolute data directory, or \"topicfs\"");
}

Result<void> apply_operands(DaemonOptions& options, Settings& settings,
                            const std::vector<std::string>& operands) {
  if (operands.empty()) return invalid("name the directory to mount on: topicfs [OPTION]... MOUNTPOINT");
  if (operands.size() > 1) TRY(apply_source(settings, operands.front()));
  if (operands.back().empty()) return invalid("the mount point is empty");
  options.mountpoint = absolute_path(operands.back());
  return {};
}

Result<void> check_sizes(const DaemonOptions& options, const Settings& settings) {
  if (!std::has_single_bit(options.wal_segment_bytes)) {
    return invalid(settings.at("wal-segment-size").where + ": \"" + settings.text("wal-segment-size") +
                   "\": must be a power of two, such as 32MiB or 64MiB");
  }
  if (options.wal_max_bytes < kMinSegments * options.wal_segment_bytes) {
    return invalid("wal-max-size " + settings.text("wal-max-size") + " (" +
                   settings.at("wal-max-size").where + ") must be at least four times wal-segment-size " +
                   settings.text("wal-segment-size") + " (" + settings.at("wal-segment-size").where + ")");
  }
  return {};
}

Result<void> check_places(const DaemonOptions& options) {
  if (options.mountpoint == "/") return invalid("the mount point cannot be /");
  if (lies_in(options.data_dir, options.mountpoint)) {
    return invalid("the data directory " + options.data_dir + " lies in the mount point " +
                   options.mountpoint);
  }
  if (!options.store_url.starts_with("file:")) return {};
  std::string store = options.store_url.substr(5);
  if (lies_in(store, options.mountpoint)) {
    return invalid("the store " + store + " lies in the mount point " + options.mountpoint);
  }
  if (lies_in(options.data_dir, store)) {
    return invalid("the store " + store +
                   " must be a directory of its own, not the data directory or above it");
  }
  return {};
}

/// Settings that ask for something which another one rules out.
Result<void> check_uses(const DaemonOptions& options, const Settings& settings) {
  if (options.store_url.starts_with("file:")) {
    for (auto name : {"s3-endpoint", "s3-region"}) {
      if (settings.is_default(name)) continue;
      return invalid(settings.at(name).where + ": has no use, because the store is " + options.store_url);
    }
  }
  if (options.kafka.advertised && !options.kafka.listen) {
    return invalid(settings.at("advertised-listener").where + ": has no use without --kafka HOST:PORT");
  }
  return {};
}

Result<void> fill(DaemonOptions& options, const Settings& settings, const StartInputs& inputs) {
  TRY_ASSIGN(options.data_dir, data_dir_of(settings, inputs));
  std::string store =
      settings.is_set("store") ? settings.text("store") : "file:" + options.data_dir + "/store";
  TRY_ASSIGN(options.store_url, parse_store_url(store));
  options.s3 = {settings.text("s3-endpoint"), settings.text("s3-region"),
                choice_of(settings, "s3-path-style")};
  options.foreground = settings.boolean("foreground");
  options.log_level = log_level_of(settings);
  options.wal_segment_bytes = settings.bytes("wal-segment-size");
  options.wal_sync_interval = settings.duration("wal-sync-interval");
  options.wal_max_bytes = settings.bytes("wal-max-size");
  options.append_timeout = in_milliseconds(settings, "append-timeout");
  options.producer_id_expiration = in_milliseconds(settings, "producer-id-expiration");
  options.pool_bytes = settings.bytes("pool-size");
  options.footer_cache_bytes = settings.bytes("footer-cache-size");
  options.block_cache_bytes = settings.bytes("block-cache-size");
  options.offload_interval = in_milliseconds(settings, "offload-interval");
  options.object_bytes = settings.bytes("object-size");
  options.shutdown_timeout = in_milliseconds(settings, "shutdown-timeout");
  options.default_partitions = static_cast<int32_t>(settings.integer("default-partitions"));
  options.max_batch_text_bytes = settings.bytes("max-batch-text");
  options.allow_other = choice_of(settings, "allow-other");
  options.busy_poll = settings.duration("busy-poll");
  options.deleted_is_hole = settings.text("deleted") == "hole";
  TRY_ASSIGN(options.kafka, kafka_options(settings));
  if (settings.is_set("config")) options.config_file = absolute_path(settings.text("config"));
  return {};
}

/// --help or --version, if asked for.
std::optional<std::string> text_to_print(Program program, std::string_view name, const CommandLine& line) {
  if (line.help) return help_text(program);
  if (line.version) return std::string(name) + " " TOPICFS_VERSION "\n";
  return std::nullopt;
}

}  // namespace

Result<Start<DaemonOptions>> read_daemon_options(const StartInputs& inputs) {
  TRY_ASSIGN(CommandLine line, parse_command_line(Program::daemon, inputs.arguments));
  Start<DaemonOptions> start;
  start.print = text_to_print(Program::daemon, "topicfs", line);
  if (start.print) return start;
  TRY_ASSIGN(ReadSettings read, read_settings(line, inputs));
  DaemonOptions& options = start.options;
  TRY(apply_operands(options, read.settings, read.operands));
  TRY(fill(options, read.settings, inputs));
  TRY(check_sizes(options, read.settings));
  TRY(check_places(options));
  TRY(check_uses(options, read.settings));
  options.kernel_options = std::move(read.kernel_options);
  start.warnings = std::move(read.warnings);
  return start;
}

Result<Start<GatewayOptions>> read_gateway_options(const StartInputs& inputs) {
  TRY_ASSIGN(CommandLine line, parse_command_line(Program::gateway, inputs.arguments));
  Start<GatewayOptions> start;
  start.print = text_to_print(Program::gateway, "topicfs-kafka", line);
  if (start.print) return start;
  TRY_ASSIGN(ReadSettings read, read_settings(line, inputs));
  GatewayOptions& options = start.options;
  TRY_ASSIGN(options.data_dir, data_dir_of(read.settings, inputs));
  options.log_level = log_level_of(read.settings);
  TRY_ASSIGN(options.kafka, kafka_options(read.settings));
  if (!options.kafka.listen) return invalid("say where to listen: --kafka HOST:PORT");
  start.warnings = std::move(read.warnings);
  return start;
}

std::vector<std::string> gateway_arguments(const DaemonOptions& options) {
  const KafkaOptions& kafka = options.kafka;
  MUST(kafka.listen);
  std::vector<std::string> arguments{
      "--data-dir=" + options.data_dir,
      "--log-level=" + std::string(word_of(options.log_level)),
      "--kafka=" + to_string(*kafka.listen),
      "--default-partitions=" + std::to_string(kafka.default_partitions),
      "--auto-create-topics=" + std::string(kafka.auto_create_topics ? "yes" : "no"),
      "--max-connections=" + std::to_string(kafka.max_connections),
      "--max-fetch-sessions=" + std::to_string(kafka.max_fetch_sessions),
      "--max-request-size=" + std::to_string(kafka.max_request_bytes),
      "--group-initial-rebalance-delay=" + format_duration(kafka.groups.initial_rebalance_delay),
      "--group-min-session-timeout=" + format_duration(kafka.groups.min_session_timeout),
      "--group-max-session-timeout=" + format_duration(kafka.groups.max_session_timeout),
      "--group-max-size=" + std::to_string(kafka.groups.max_members),
      "--offsets-retention=" + format_duration(kafka.groups.offsets_retention),
  };
  if (kafka.advertised) arguments.push_back("--advertised-listener=" + to_string(*kafka.advertised));
  if (!options.config_file.empty()) arguments.push_back("--config=" + options.config_file);
  return arguments;
}

int report_usage_error(std::string_view program, const Error& error) {
  std::string name(program);
  std::fprintf(stderr, "%s: %s\n%s --help lists all settings.\n", name.c_str(), error.message().c_str(),
               name.c_str());
  return 2;
}

}  // namespace topicfs
