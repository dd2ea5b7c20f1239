// Makes connections of accepted sockets. Includes Asio: for the sources of the server only.
#pragma once

#include <asio/ip/tcp.hpp>

#include "kafka/server/connection.h"

namespace topicfs::kafka {

/// `on_closed` is called once, on the loop, when the connection has ended and nothing of it runs.
/// `gateway`, `buffers` and `loop` are shared by all connections and what their handlers left behind.
std::shared_ptr<Connection> make_tcp_connection(asio::ip::tcp::socket socket, std::shared_ptr<Gateway> gateway,
                                                std::shared_ptr<Loop> loop, ReceiveBuffers& buffers,
                                                ConnectionOptions options, Task on_closed);

}  // namespace topicfs::kafka
