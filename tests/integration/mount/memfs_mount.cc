// memfs_mount: the mount over an engine in memory, for tests and for measuring the mount alone.
//
//   memfs_mount [--default-partitions N] [--deleted=hole] [--control SOCKET] [--ring] MOUNTPOINT
//
// --ring: data is copied once and forgotten, see ring_engine.h.
// Ends with status 0 when it is unmounted, or on SIGTERM or SIGINT after unmounting. A client of
// the Unix socket SOCKET sends one command and ends its side; the answer is "ok" or an error:
//
//   append TOPIC PARTITION NEWLINE text ...   as another door's producer would
//   delete TOPIC      full      room      poison
//   log-start TOPIC PARTITION OFFSET          retention
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <sstream>
#include <thread>

#include "base/log.h"
#include "base/thread_executor.h"
#include "base/unique_fd.h"
#include "fuse/mount.h"
#include "integration/mount/ring_engine.h"
#include "support/memory_engine.h"

using namespace topicfs;

// libfuse keeps the strings of a mount until the process ends.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:fuse_session_mount"; }

namespace {

constexpr size_t kMaxCommandBytes = 16 << 20;

std::string append(testing::MemoryEngine& engine, const std::string& topic, size_t partition,
                   const std::string& text) {
  const TopicPtr found = engine.find_topic(topic);
  if (!found || partition >= found->partitions.size()) return "no such partition";
  std::promise<std::string> answer;
  const ByteSpan pieces[] = {as_byte_span(text)};
  engine.append_text(found->partitions[partition].id, pieces,
                     text.ends_with('\n') ? LastLine::complete : LastLine::unfinished, {},
                     [&](Result<Appended> done) { answer.set_value(done ? "ok" : done.error().message()); });
  return answer.get_future().get();
}

std::string run_command(testing::MemoryEngine& engine, const std::string& command) {
  const size_t line_end = command.find('\n');
  std::istringstream words(command.substr(0, line_end));
  std::string verb, topic;
  size_t partition = 0;
  int64_t offset = 0;
  words >> verb >> topic >> partition >> offset;
  if (verb == "append" && line_end != std::string::npos)
    return append(engine, topic, partition, command.substr(line_end + 1));
  if (verb == "full") return engine.set_full(true), "ok";
  if (verb == "room") return engine.set_full(false), "ok";
  if (verb == "poison") return engine.poison(), "ok";
  const TopicPtr found = engine.find_topic(topic);
  if (!found) return "no such topic";
  if (verb == "log-start" && partition < found->partitions.size())
    return engine.set_log_start(found->partitions[partition].id, Offset(offset)), "ok";
  if (verb != "delete") return "unknown command";
  std::promise<std::string> answer;
  engine.delete_topic(found->id, OnlyEmpty::no,
                      [&](Result<void> done) { answer.set_value(done ? "ok" : done.error().message()); });
  return answer.get_future().get();
}

void serve(int listener, testing::MemoryEngine& engine) {
  for (;;) {
    UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;  // shut down by main
    std::string command;
    char buffer[1 << 16];
    ssize_t n;
    while (command.size() < kMaxCommandBytes && (n = ::read(client.get(), buffer, sizeof buffer)) > 0)
      command.append(buffer, static_cast<size_t>(n));
    const std::string answer = run_command(engine, command) + "\n";
    ::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  }
}

UniqueFd listen_at(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return {};
  std::strcpy(address.sun_path, path);
  ::unlink(path);  // a killed one's
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16) != 0)
    return {};
  return listener;
}

int fail_with(const std::string& what) {
  std::fprintf(stderr, "memfs_mount: %s\n", what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  fuse::MountOptions options;
  const char* control = nullptr;
  bool ring = false;
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument == "--default-partitions" && i + 1 < argc)
      options.filesystem.default_partitions = std::atoi(argv[++i]);
    else if (argument == "--control" && i + 1 < argc)
      control = argv[++i];
    else if (argument == "--ring")
      ring = true;
    else if (argument == "--deleted=hole")
      options.filesystem.deleted = fuse::Deleted::hole;
    else
      options.mountpoint = argument;
  }
  if (options.mountpoint.empty()) return fail_with("give a mount point");
  set_up_logging("memfs_mount", LogLevel::info);

  sigset_t stops;
  ::sigemptyset(&stops);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) ::sigaddset(&stops, signal);
  ::pthread_sigmask(SIG_BLOCK, &stops, nullptr);

  testing::MemoryEngine engine;
  testing::RingEngine ring_engine;
  ThreadExecutor executor("memfs", system_clock());
  UniqueFd listener;  // first, so that who finds the mount finds it
  if (control) {
    listener = listen_at(control);
    if (!listener) return fail_with("can't listen at " + std::string(control));
  }
  auto mount = fuse::Mount::start(options, ring ? static_cast<Engine&>(ring_engine) : engine, executor,
                                  system_clock());
  if (!mount) return fail_with(mount.error().message());

  std::thread server;
  if (control) server = std::thread([&] { serve(listener.get(), engine); });
  std::thread signals([&] {
    int signal = 0;
    ::sigwait(&stops, &signal);
    (*mount)->request_stop();
  });
  (*mount)->wait();
  ::pthread_kill(signals.native_handle(), SIGUSR1);
  signals.join();
  if (server.joinable()) {
    ::shutdown(listener.get(), SHUT_RDWR);
    server.join();
    ::unlink(control);
  }
  mount->reset();
  return 0;
}
