#include "daemon/gateway_process.h"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "base/standard_streams.h"
#include "base/unique_fd.h"

namespace topicfs {
namespace {

constexpr char kProgram[] = "topicfs-kafka";
constexpr std::chrono::milliseconds kPoll{20};
constexpr int kStartPolls = 1500, kStopPolls = 250;  // of kPoll: 30 s and 5 s
constexpr std::chrono::seconds kRestartPause{1};

/// The program beside this one; by name alone if there is none.
std::string find_program() {
  char self[4096];
  ssize_t n = ::readlink("/proc/self/exe", self, sizeof self);
  std::string path(self, n > 0 ? static_cast<size_t>(n) : 0);
  path = path.substr(0, path.rfind('/') + 1) + kProgram;
  return ::access(path.c_str(), X_OK) == 0 ? path : kProgram;
}

/// Calls `use(socket, address)` with the address's first resolution.
template <class Use>
Result<void> with_address(const Address& address, Use use) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  if (int e = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found); e != 0)
    return fail(Errc::kInvalidArgument, "cannot resolve " + address.host + ": " + ::gai_strerror(e));
  UniqueFd fd(::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0));
  Result<void> r = fd ? use(fd.get(), found->ai_addr, found->ai_addrlen) : fail_errno("cannot make a socket", errno);
  ::freeaddrinfo(found);
  return r;
}

bool somebody_listens(const Address& address) {
  return with_address(address, [](int fd, const sockaddr* to, socklen_t n) -> Result<void> {
           if (::connect(fd, to, n) != 0) return fail_errno("connect", errno);
           return {};
         }).has_value();
}

}  // namespace

Result<void> check_can_listen(const Address& address) {
  return with_address(address, [&](int fd, const sockaddr* at, socklen_t n) -> Result<void> {
    int one = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (::bind(fd, at, n) == 0 && ::listen(fd, 1) == 0) return {};
    if (errno == EADDRINUSE)
      return fail(Errc::kBusy, to_string(address) + " is in use by another program; choose another address for --kafka");
    return fail_errno("cannot listen on " + to_string(address), errno);
  });
}

Result<std::unique_ptr<GatewayProcess>> GatewayProcess::start(std::vector<std::string> arguments,
                                                              const Address& address) {
  std::unique_ptr<GatewayProcess> gateway(new GatewayProcess(std::move(arguments)));
  gateway->program_ = find_program();
  gateway->thread_ = std::thread([g = gateway.get()] { g->supervise(); });
  MutexLock l(gateway->mutex_);
  for (int i = 0; i < kStartPolls; i++) {
    if (gateway->stopping_) return fail(Errc::kIo, "the gateway, " + gateway->program_ + ", did not start; see its messages above");
    l.unlock();
    bool up = somebody_listens(address);
    l.lock();
    if (up) {
      gateway->has_listened_ = true;
      return gateway;
    }
    gateway->changed_.wait_for(gateway->mutex_, kPoll);
  }
  return fail(Errc::kTimedOut, "the gateway does not listen on " + to_string(address));
}

Result<pid_t> GatewayProcess::spawn() {
  std::vector<char*> argv{const_cast<char*>(kProgram)};
  for (const std::string& a : arguments_) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return fail_errno("cannot start the gateway", errno);
  if (child > 0) return child;
  // In the child: only calls that a signal handler could make.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(1);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // It reads and prints nothing, and what the daemon gives up in the background it must not hold.
  give_up_input_and_output();
  ::execvp(program_.c_str(), argv.data());
  static constexpr char kMessage[] = "topicfs: cannot run topicfs-kafka: is it installed beside topicfs?\n";
  (void)!::write(2, kMessage, sizeof kMessage - 1);
  ::_exit(127);
}

/// Runs on one thread from the first start to the last end, because the kernel ends the child with the thread that
/// started it.
void GatewayProcess::supervise() {
  for (;;) {
    auto child = spawn();
    {
      MutexLock l(mutex_);
      child_ = child ? *child : -1;
      if (stopping_ && child) ::kill(*child, SIGTERM);
    }
    if (!child) LOG_ERROR("{}", child.error().message());
    int status = 0;
    if (child) {
      siginfo_t info;
      while (::waitid(P_PID, static_cast<id_t>(*child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
      }
      MutexLock l(mutex_);
      while (::waitpid(*child, &status, 0) < 0 && errno == EINTR) {
      }
      child_ = -1;
      changed_.notify_all();
    }
    MutexLock l(mutex_);
    if (stopping_) return;
    bool cannot_start = !has_listened_ && (!child || (WIFEXITED(status) && WEXITSTATUS(status) != 0));
    if (cannot_start) {
      stopping_ = true;
      changed_.notify_all();
      return;
    }
    LOG_WARNING("the gateway ended ({} {}); it is started again", WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    changed_.wait_for(mutex_, kRestartPause);
    if (stopping_) return;
  }
}

GatewayProcess::~GatewayProcess() {
  {
    MutexLock l(mutex_);
    stopping_ = true;
    changed_.notify_all();
    if (child_ > 0) ::kill(child_, SIGTERM);
    for (int i = 0; child_ > 0 && i < kStopPolls; i++) changed_.wait_for(mutex_, kPoll);
    if (child_ > 0) ::kill(child_, SIGKILL);
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace topicfs
