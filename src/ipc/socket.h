// The few socket calls of the gateway's door: a Unix stream socket in a directory whose path may be
// longer than sun_path, credentials of the peer, file descriptors passed along.
#pragma once

#include <string>
#include <vector>

#include <topicfs/result.h>
#include <topicfs/types.h>

#include "base/unique_fd.h"

namespace topicfs::ipc {

inline constexpr std::string_view kSocketName = "gateway.sock";
inline constexpr size_t kMaxPassedFds = 4;

/// Listen at `directory`/gateway.sock, mode 0600, in place of what a dead daemon left there; the
/// caller holds the directory's lock.
Result<UniqueFd> listen_in(const std::string& directory);
/// kUnavailable: nobody listens there.
Result<UniqueFd> connect_in(const std::string& directory);
/// Removes the socket's name.
void unlink_in(const std::string& directory);

/// The next connection, not blocking; an empty one when there is none.
Result<UniqueFd> accept_next(int listener);

struct Peer {
  uid_t uid = 0;
  pid_t pid = 0;
  UniqueFd process;  ///< pidfd: readable when the process is dead; empty if it is dead already
};
Result<Peer> peer_of(int socket);

/// Send all of `bytes` with `fds` on a fresh non-blocking socket, where they fit.
Result<void> send_with_fds(int socket, ByteSpan bytes, const std::vector<int>& fds);
/// Receive up to `into.size()` bytes, and file descriptors that come with them. 0 bytes: the end.
Result<size_t> receive_with_fds(int socket, MutableByteSpan into, std::vector<UniqueFd>& fds);

}  // namespace topicfs::ipc
