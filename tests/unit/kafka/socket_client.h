// SocketClient: a client on a real socket, one request and its response at a time. Nothing here uses the test framework,
// so that threads may.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "base/unique_fd.h"
#include "kafka/messages/registry.h"
#include "kafka/wire/decode.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/header.h"

namespace topicfs::kafka {

/// A connection on which a read takes half a minute at most.
inline UniqueFd connect_to_loopback(uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval limit{30, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in to{};
  to.sin_family = AF_INET, to.sin_port = htons(port), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MUST(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return fd;
}

class SocketClient {
 public:
  explicit SocketClient(uint16_t port) : fd_(connect_to_loopback(port)) {}
  /// Bytes that may be no request; false if the server has ended the connection.
  bool send_bytes(std::string_view bytes) {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  template <class Req>
  void send(const Req& request, int16_t version) {
    Writer w;
    w.int32(0);
    w.int16(Req::key), w.int16(version), w.int32(1), w.int16(-1);
    if (encoding_of<Req>(version).flexible) w.uvarint(0);
    encode(w, request, encoding_of<Req>(version));
    end_response(w);
    MUST(send_bytes(w.flat()));
  }
  /// Its views are good until the next one.
  template <class Resp>
  Resp receive(int16_t version) {
    std::string size = read(4);
    bytes_ = read(static_cast<size_t>(Reader(as_byte_span(size)).int32()));
    Reader r(as_byte_span(bytes_));
    r.int32();
    if (encoding_of<Resp>(version).flexible) read_header_tags(r);
    Resp response;
    decode(r, response, encoding_of<Resp>(version));
    MUST(r.ok() && r.remaining() == 0);
    return response;
  }
  template <class Resp, class Req>
  Resp ask(const Req& request, int16_t version) {
    send(request, version);
    return receive<Resp>(version);
  }

 private:
  std::string read(size_t size) {
    std::string bytes(size, '\0');
    for (size_t got = 0; got < size;) {
      ssize_t n = ::recv(fd_.get(), bytes.data() + got, size - got, 0);
      MUST(n > 0);
      got += static_cast<size_t>(n);
    }
    return bytes;
  }
  UniqueFd fd_;
  std::string bytes_;
};

}  // namespace topicfs::kafka
