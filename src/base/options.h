// DaemonOptions, GatewayOptions: what a program works with once its settings are read and checked
// against each other. A main is:
//
//   auto start = read_daemon_options(start_inputs(argc, argv));
//   if (!start) return report_usage_error("topicfs", start.error());   // exit status 2
//   if (start->print) { std::fputs(start->print->c_str(), stdout); return 0; }
//   set_up_logging("topicfs", start->options.log_level);
//   for (const std::string& warning : start->warnings) LOG_WARNING("{}", warning);
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/setting_sources.h"
#include "base/setting_values.h"

namespace topicfs {

enum class Choice { automatic, yes, no };

struct GroupOptions {
  std::chrono::milliseconds initial_rebalance_delay{0}, min_session_timeout{0}, max_session_timeout{0};
  uint32_t max_members = 0;
  std::chrono::milliseconds offsets_retention{0};
};

/// What the gateway needs, and the daemon passes on to it.
struct KafkaOptions {
  std::optional<Address> listen;      ///< --kafka; always set for the gateway
  std::optional<Address> advertised;  ///< default: the address that a client has connected to
  int32_t default_partitions = 1;
  bool auto_create_topics = true;
  uint32_t max_connections = 0;
  uint32_t max_fetch_sessions = 0;
  uint64_t max_request_bytes = 0;
  GroupOptions groups;
};

struct S3Options {
  std::string endpoint;  ///< "": Amazon's
  std::string region;    ///< "": from AWS_REGION, AWS_DEFAULT_REGION, or us-east-1
  Choice path_style = Choice::automatic;
};

struct DaemonOptions {
  std::string mountpoint;  ///< absolute
  std::string data_dir;    ///< absolute; may not exist yet
  std::string store_url;   ///< "file:/absolute/path" or "s3://bucket[/prefix]"
  S3Options s3;
  bool foreground = false;
  LogLevel log_level = LogLevel::info;

  uint64_t wal_segment_bytes = 0;  ///< a power of two
  std::chrono::microseconds wal_sync_interval{0};
  uint64_t wal_max_bytes = 0;  ///< at least four segments
  std::chrono::milliseconds append_timeout{0};
  std::chrono::milliseconds producer_id_expiration{0};
  uint64_t pool_bytes = 0;
  uint64_t footer_cache_bytes = 0;
  uint64_t block_cache_bytes = 0;
  std::chrono::milliseconds offload_interval{0};
  uint64_t object_bytes = 0;
  std::chrono::milliseconds shutdown_timeout{0};
  int32_t default_partitions = 1;
  uint64_t max_batch_text_bytes = 0;

  Choice allow_other = Choice::automatic;
  bool deleted_is_hole = false;             ///< --deleted=hole, not skip
  std::chrono::microseconds busy_poll{0};
  std::vector<std::string> kernel_options;  ///< "ro", "nosuid", ...: for mount(2)
  KafkaOptions kafka;                       ///< listen is not set: no gateway
  std::string config_file;                  ///< "": none was named
};

struct GatewayOptions {
  std::string data_dir;
  LogLevel log_level = LogLevel::info;
  KafkaOptions kafka;
};

template <class Options>
struct Start {
  std::optional<std::string> print;  ///< --help, --version: print this and exit; the rest is empty
  Options options;
  std::vector<std::string> warnings;
};

/// kInvalidArgument, kNotFound: for report_usage_error.
Result<Start<DaemonOptions>> read_daemon_options(const StartInputs& inputs);
Result<Start<GatewayOptions>> read_gateway_options(const StartInputs& inputs);

/// The arguments with which the daemon starts the gateway, so that it has the daemon's settings
/// wherever they came from.
std::vector<std::string> gateway_arguments(const DaemonOptions& options);

/// Tells standard error, and answers the exit status 2.
int report_usage_error(std::string_view program, const Error& error);

}  // namespace topicfs
