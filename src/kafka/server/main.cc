// topicfs-kafka(8): the gateway's process. It connects to the daemon, serves Kafka clients, and ends
// on a signal, or when the daemon has gone; the daemon starts another.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>

#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/random.h"
#include "ipc/client.h"
#include "kafka/server/arena_buffers.h"
#include "kafka/server/server.h"

namespace {

using namespace topicfs;

constexpr int kExitFailure = 1;
constexpr int kDaemonHasGone = SIGUSR1;  // our own thread sends it
constexpr rlim_t kOtherDescriptors = 64;

/// Blocks the signals that end us, for all threads, so that only wait_for_signal gets them.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, kDaemonHasGone}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

int wait_for_signal(const sigset_t& set) {
  int signal = 0;
  while (sigwait(&set, &signal) != 0) {
  }
  return signal;
}

/// One descriptor for each connection, as far as the system allows.
void raise_descriptor_limit(uint32_t connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  rlim_t wanted = connections + kOtherDescriptors;
  if (limit.rlim_cur >= wanted) return;
  if (limit.rlim_max < wanted)
    LOG_WARNING("the limit of open files, {}, is below what --max-connections={} needs", limit.rlim_max, connections);
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

kafka::ServerOptions server_options(const std::string& data_dir, const KafkaOptions& options) {
  kafka::ServerOptions server;
  server.gateway.data_dir = data_dir;
  server.gateway.uid = ::geteuid(), server.gateway.gid = ::getegid();
  server.host = options.listen->host;
  server.port = options.listen->port;
  server.max_connections = options.max_connections;
  server.max_request_bytes = options.max_request_bytes;
  server.gateway.auto_create_topics = options.auto_create_topics;
  server.gateway.default_partitions = options.default_partitions;
  server.gateway.max_fetch_sessions = options.max_fetch_sessions;
  server.gateway.groups.initial_rebalance_delay = options.groups.initial_rebalance_delay;
  server.gateway.groups.min_session_timeout = options.groups.min_session_timeout;
  server.gateway.groups.max_session_timeout = options.groups.max_session_timeout;
  server.gateway.groups.max_members = options.groups.max_members;
  server.gateway.groups.offsets_retention = options.groups.offsets_retention;
  if (options.advertised) {
    server.gateway.advertised_host = options.advertised->host;
    server.gateway.advertised_port = options.advertised->port;
  }
  return server;
}

int serve(const GatewayOptions& options, const sigset_t& signals) {
  auto fail = [](const Error& error) {
    LOG_ERROR("{}", error.message());
    return kExitFailure;
  };
  raise_descriptor_limit(options.kafka.max_connections);
  ipc::ClientOptions client_options;
  client_options.on_closed = [](const Error& why) {
    LOG_WARNING("the daemon has gone: {}", why.message());
    ::kill(::getpid(), kDaemonHasGone);
  };
  auto client = ipc::Client::connect(options.data_dir, system_clock(), std::move(client_options));
  if (!client) return fail(client.error());
  kafka::ArenaBuffers buffers(**client, options.kafka.max_request_bytes);
  auto server = kafka::Server::start(**client, buffers, system_clock(), system_random(),
                                     server_options(options.data_dir, options.kafka));
  if (!server) return fail(server.error());
  LOG_INFO("serving Kafka clients on {}:{}", options.kafka.listen->host, (*server)->port());

  int signal = wait_for_signal(signals);
  (*server)->stop();
  return signal == kDaemonHasGone ? kExitFailure : 0;
}

int run(int argc, char** argv) {
  auto start = read_gateway_options(start_inputs(argc, argv));
  if (!start) return report_usage_error("topicfs-kafka", start.error());
  if (start->print) return std::fputs(start->print->c_str(), stdout) < 0 ? kExitFailure : 0;
  set_up_logging("topicfs-kafka", start->options.log_level);
  for (const std::string& warning : start->warnings) LOG_WARNING("{}", warning);
  return serve(start->options, block_signals());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "topicfs-kafka: %s\n", error.what());
    return kExitFailure;
  }
}
