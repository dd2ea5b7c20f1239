#include "ipc/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace topicfs::ipc {
namespace {

constexpr int kBacklog = 4;

/// sun_path has 108 bytes; a path through an open directory's descriptor always fits.
struct Place {
  UniqueFd directory;
  sockaddr_un address{};
};

Result<Place> place_in(const std::string& directory) {
  Place place;
  place.directory.reset(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.directory) return fail_errno("cannot open " + directory, errno);
  place.address.sun_family = AF_UNIX;
  std::snprintf(place.address.sun_path, sizeof place.address.sun_path, "/proc/self/fd/%d/%s", place.directory.get(),
                kSocketName.data());
  return place;
}

Result<UniqueFd> new_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("cannot make a Unix socket", errno);
  return fd;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

}  // namespace

Result<UniqueFd> listen_in(const std::string& directory) {
  TRY_ASSIGN(auto place, place_in(directory));
  TRY_ASSIGN(auto fd, new_socket());
  // The name is made with the socket's own mode: it is never open to others, not even for a moment.
  if (::fchmod(fd.get(), 0600) != 0) return fail_errno("cannot set the mode of the gateway's socket", errno);
  ::unlinkat(place.directory.get(), kSocketName.data(), 0);
  if (::bind(fd.get(), generic(place.address), sizeof place.address) != 0 || ::listen(fd.get(), kBacklog) != 0)
    return fail_errno("cannot listen at " + directory + "/" + std::string(kSocketName), errno);
  return fd;
}

Result<UniqueFd> connect_in(const std::string& directory) {
  TRY_ASSIGN(auto place, place_in(directory));
  TRY_ASSIGN(auto fd, new_socket());
  if (::connect(fd.get(), generic(place.address), sizeof place.address) == 0) return fd;
  auto what = "no daemon answers at " + directory + "/" + std::string(kSocketName) + "; is topicfs running?";
  if (errno == ECONNREFUSED || errno == ENOENT || errno == EAGAIN) return fail(Errc::kUnavailable, what, errno);
  return fail_errno(what, errno);
}

void unlink_in(const std::string& directory) { ::unlink((directory + "/" + std::string(kSocketName)).c_str()); }

Result<UniqueFd> accept_next(int listener) {
  UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
    return fail_errno("cannot accept the gateway's connection", errno);
  return fd;
}

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
    return fail_errno("cannot ask who connected", errno);
  Peer peer{credentials.uid, credentials.pid, {}};
  peer.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, credentials.pid, 0)));
  if (!peer.process && errno != ESRCH) return fail_errno("cannot watch the gateway's process", errno);
  return peer;
}

Result<void> send_with_fds(int socket, ByteSpan bytes, const std::vector<int>& fds) {
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  if (sent < 0) return fail_errno("cannot greet the gateway", errno);
  if (static_cast<size_t>(sent) != bytes.size()) return fail(Errc::kIo, "cannot greet the gateway in one piece");
  return {};
}

Result<size_t> receive_with_fds(int socket, MutableByteSpan into, std::vector<UniqueFd>& fds) {
  iovec part{into.data(), into.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassedFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  if (got < 0) return fail_errno("cannot read from the daemon", errno);
  for (cmsghdr* h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::vector<int> numbers(count);
    std::memcpy(numbers.data(), CMSG_DATA(h), count * sizeof(int));
    for (int number : numbers) fds.emplace_back(number);
  }
  return static_cast<size_t>(got);
}

}  // namespace topicfs::ipc
