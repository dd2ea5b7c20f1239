// kafka_on_memory: the gateway over an engine in plain memory, for trying clients without a mount.
//
//   kafka_on_memory PORT [THREADS [debug]]     serves 127.0.0.1:PORT until SIGTERM or SIGINT
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/log.h"
#include "base/random.h"
#include "kafka/server/loop.h"
#include "kafka/server/server.h"
#include "support/memory_engine.h"

using namespace topicfs;

int main(int argc, char** argv) {
  if (argc < 2) return std::fputs("usage: kafka_on_memory PORT [THREADS [debug]]\n", stderr), 2;
  bool debug = argc > 3 && std::string_view(argv[3]) == "debug";
  set_up_logging("kafka_on_memory", debug ? LogLevel::debug : LogLevel::info);

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before there are threads, for all of them

  kafka::Loop commits(system_clock());  // one task is one commit
  commits.start();
  testing::MemoryEngineOptions engine_options;
  engine_options.executor = &commits;
  testing::MemoryEngine engine(engine_options);
  kafka::HeapReceiveBuffers buffers(512 << 20);
  kafka::ServerOptions options;
  options.port = static_cast<uint16_t>(std::atoi(argv[1]));
  if (argc > 2) options.threads = std::atoi(argv[2]);
  auto server = kafka::Server::start(engine, buffers, system_clock(), system_random(), options);
  if (!server) return std::fprintf(stderr, "%s\n", server.error().message().c_str()), 1;
  std::printf("ready %d\n", (*server)->port());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&signals, &signal);
  (*server)->stop();
  server->reset();
  commits.stop();
  return 0;
}
