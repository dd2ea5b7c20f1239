// topicfs: mounts the log. Reads its settings, goes into the background unless told not to, and ends on a signal or
// when it is unmounted. topicfs(8).
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <thread>

#include "base/log.h"
#include "base/options.h"
#include "base/standard_streams.h"
#include "daemon/daemon.h"

namespace topicfs {
namespace {

/// The parent of a daemon that goes into the background: waits until it is up, and ends with its outcome.
[[noreturn]] void wait_for_child(int pipe, pid_t child) {
  char outcome = 1;
  if (::read(pipe, &outcome, 1) != 1) ::waitpid(child, nullptr, 0);
  ::_exit(outcome);
}

/// Forks; in the child, answers the descriptor that takes the outcome. Before any thread is made.
int go_into_background() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  pid_t child = ::fork();
  if (child > 0) wait_for_child((::close(ends[1]), ends[0]), child);
  ::close(ends[0]);
  ::setsid();
  return ends[1];
}

void tell_parent(int pipe) {
  if (pipe < 0) return;
  char outcome = 0;
  (void)!::write(pipe, &outcome, 1);
  ::close(pipe);
  // Messages go on to where they went; input and output are the terminal's no longer.
  give_up_input_and_output();
}

int run(int argc, char** argv) {
  auto start = read_daemon_options(start_inputs(argc, argv));
  if (!start) return report_usage_error("topicfs", start.error());
  if (start->print) {
    std::fputs(start->print->c_str(), stdout);
    return 0;
  }
  set_up_logging("topicfs", start->options.log_level);
  for (const std::string& warning : start->warnings) LOG_WARNING("{}", warning);
  int parent = start->options.foreground ? -1 : go_into_background();

  sigset_t signals;
  ::sigemptyset(&signals);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, s);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  auto daemon = Daemon::start(start->options);
  if (!daemon) {
    LOG_ERROR("cannot start: {}", daemon.error().message());
    return 1;
  }
  LOG_INFO("mounted {} on {}", start->options.store_url, start->options.mountpoint);
  tell_parent(parent);
  std::thread([&signals, &daemon] {
    int signal = 0;
    ::sigwait(&signals, &signal);
    LOG_INFO("ending on signal {}", signal);
    (*daemon)->request_stop();
    // A second one while the first is being obeyed has its usual effect.
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    for (;;) ::pause();
  }).detach();
  (*daemon)->run();
  LOG_INFO("ended");
  std::fflush(nullptr);
  ::_exit(0);  // the signals' thread may be anywhere
}

}  // namespace
}  // namespace topicfs

int main(int argc, char** argv) {
  try {
    return topicfs::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "topicfs: %s\n", e.what());
    return 1;
  }
}
