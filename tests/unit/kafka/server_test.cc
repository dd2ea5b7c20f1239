// The server over real sockets on loopback: framing, order, limits, hostile clients.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include "base/random.h"
#include "base/unique_fd.h"
#include "kafka/server/frame_reader.h"
#include "kafka/server/loop.h"
#include "kafka/server/server.h"
#include "kafka/wire/encode.h"
#include "unit/kafka/handler_kit.h"
#include "unit/kafka/socket_client.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

/// A client that writes bytes and reads frames.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(connect_to_loopback(port)) {}
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      REQUIRE(n > 0);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }
  /// The next response without its length; "closed" if the server ended the connection.
  std::string read_frame() {
    std::string size = read(4);
    if (size.size() < 4) return "closed";
    return read(static_cast<size_t>(Reader(as_byte_span(size)).int32()));
  }
  int32_t read_correlation_id() {
    std::string frame = read_frame();
    return Reader(as_byte_span(frame)).int32();
  }

 private:
  std::string read(size_t size) {
    std::string bytes(size, '\0');
    for (size_t got = 0; got < size;) {
      ssize_t n = ::recv(fd_.get(), bytes.data() + got, size - got, 0);
      if (n <= 0) return bytes.substr(0, got);
      got += static_cast<size_t>(n);
    }
    return bytes;
  }
  UniqueFd fd_;
};

template <class Req>
std::string frame(const Req& request, int16_t version, int32_t correlation_id) {
  Writer w;
  w.int32(0);
  w.int16(Req::key), w.int16(version), w.int32(correlation_id), w.int16(-1);
  Encoding encoding = encoding_of<Req>(version);
  if (encoding.flexible) w.uvarint(0);
  encode(w, request, encoding);
  end_response(w);
  return w.flat();
}

/// A server over an engine whose commits run on a thread of their own.
struct Service {
  explicit Service(ServerOptions options = {}, size_t budget = 64 << 20) : buffers(budget) {
    commits.start();
    options.port = 0;
    auto started = Server::start(engine, buffers, system_clock(), system_random(), std::move(options));
    REQUIRE(started.has_value());
    server = std::move(*started);
  }
  ~Service() {
    server.reset();
    commits.stop();
  }
  uint16_t port() const { return server->port(); }

  Loop commits{system_clock()};
  testing::MemoryEngine engine{testing::MemoryEngineOptions{&commits, nullptr}};
  HeapReceiveBuffers buffers;
  std::unique_ptr<Server> server;
};

MetadataRequest no_topics() { return {}; }

FetchRequest wait_for(std::string_view topic, int32_t max_wait_ms) {
  FetchRequest r;
  r.max_wait_ms = max_wait_ms, r.min_bytes = 1;
  r.topics.push_back({topic, {}, {}});
  r.topics[0].partitions.push_back({0, -1, 0, -1, -1, 1 << 20});
  return r;
}

void make_topic(Client& client, std::string name) {
  MetadataRequest r;
  r.topics->push_back({Uuid{}, std::move(name)});
  client.write(frame(r, 4, 77));
  REQUIRE(client.read_correlation_id() == 77);
}

ProduceRequest produce(std::string_view topic, ByteSpan batch, int16_t acks) {
  ProduceRequest r;
  r.acks = acks;
  r.topics.push_back({topic, {{0, batch}}});
  return r;
}

}  // namespace

TEST_CASE("ApiVersions: the header stays at version 0, an unknown version is answered in version 0") {
  Service service;
  Client client(service.port());
  ApiVersionsRequest request;
  request.client_software_name = "test", request.client_software_version = "1";
  client.write(frame(request, 3, 5));
  std::string v3 = client.read_frame();
  CHECK(v3.substr(0, 6) == std::string("\0\0\0\5\0\0", 6));  // correlation id, error: no tags between
  CHECK(static_cast<size_t>(v3[6]) == advertised_apis().size() + 1);
  std::string future = frame(request, 3, 6);
  future[7] = 99;
  client.write(future);
  CHECK(client.read_frame() == std::string("\0\0\0\6\0\x23\0\0\0\1\0\x12\0\0\0\4", 16));
  client.write(frame(request, 4, 8));
  CHECK(client.read_correlation_id() == 8);
}

TEST_CASE("Produce version 0 is advertised but ends the connection") {
  CHECK(advertised_apis()[0].min_version == 0);
  Service service;
  Client client(service.port());
  client.write(std::string("\0\0\0\x0c\0\0\0\0\0\0\0\1\xff\xff\0\0", 16));
  CHECK(client.read_frame() == "closed");
}

TEST_CASE("hostile frames end the connection, and the server lives on") {
  Service service;
  std::string header("\0\3\0\4\0\0\0\1\xff\xff", 10);
  for (std::string bytes : {std::string("\xff\xff\xff\xf0\0\3\0\4", 8), std::string("\x7f\xff\xff\xff\0\3\0\4", 8),
                            std::string(4, '\0'), std::string("\0\0\0\3\0\3\0", 7), std::string("GET / HTTP/1.1\r\n\r\n"),
                            std::string("\0\0\0\x20\3\xe7\0\0", 8), std::string("\0\0\0\x20\0\3\0\x63", 8),
                            std::string("\0\0\0\x0a", 4) + header,                                // no body
                            std::string("\0\0\0\x0f", 4) + header + std::string("\x7f\xff\xff\xff\0", 5),
                            std::string("\0\0\0\x0a\0\3\0\4\0\0\0\1\x7f\xff", 14),                // client id
                            std::string("\7\0\0\0\0\3\0\4", 8)}) {                                // too large for its API
    CAPTURE(bytes);
    Client client(service.port());
    client.write(bytes);
    CHECK(client.read_frame() == "closed");
  }
  Client client(service.port());
  client.write(frame(no_topics(), 4, 9));
  CHECK(client.read_correlation_id() == 9);
}

TEST_CASE("requests before a bad one are answered") {
  Service service;
  Client client(service.port());
  client.write(frame(no_topics(), 4, 1) + std::string("\0\0\0\x08\3\xe7\0\0\0\0\0\1", 12));
  CHECK(client.read_correlation_id() == 1);
  CHECK(client.read_frame() == "closed");
}

TEST_CASE("responses leave in the order of the requests, a parked fetch included") {
  Service service;
  Client client(service.port());
  make_topic(client, "t");
  auto batch = HandlerKit::batch({"v"});
  std::string all = frame(wait_for("t", 50), 11, 1) + frame(no_topics(), 4, 2);
  for (int32_t i = 3; i < 40; i++) all += frame(produce("t", batch, static_cast<int16_t>(i % 3 - 1)), 7, i);
  all += frame(no_topics(), 9, 40);
  client.write(all);
  CHECK(client.read_correlation_id() == 1);
  CHECK(client.read_correlation_id() == 2);
  for (int32_t i = 3; i < 40; i++)
    if (i % 3 - 1 != 0) CHECK(client.read_correlation_id() == i);
  CHECK(client.read_correlation_id() == 40);
}

TEST_CASE("a request behind acks=0 in the same segment is answered") {
  Service service;
  Client client(service.port());
  make_topic(client, "t");
  auto batch = HandlerKit::batch({"v"});
  for (int32_t i = 1; i < 20; i++) {
    client.write(frame(produce("t", batch, 0), 7, 1000) + frame(no_topics(), 4, i));
    REQUIRE(client.read_correlation_id() == i);
  }
  client.write(frame(produce("nosuch", batch, 0), 7, 1000) + frame(no_topics(), 4, 21));
  CHECK(client.read_frame() == "closed");
}

TEST_CASE("requests that arrive byte by byte, or many at once, are the same requests") {
  Service service;
  Client client(service.port());
  std::string one = frame(no_topics(), 4, 1);
  for (char c : one) client.write(std::string(1, c));
  CHECK(client.read_correlation_id() == 1);
  std::string many;
  for (int32_t i = 0; i < 3000; i++) many += frame(no_topics(), 4, i);
  client.write(many);
  for (int32_t i = 0; i < 3000; i++) REQUIRE(client.read_correlation_id() == i);
}

TEST_CASE("a client that leaves does not leave its parked fetch behind") {
  Service service;
  {
    Client client(service.port());
    make_topic(client, "t");
    client.write(frame(wait_for("t", 1'000'000), 11, 1));
  }
  Client other(service.port());
  for (int i = 0; i < 200 && service.server->connections() > 1; i++) {
    other.write(frame(no_topics(), 4, i));
    other.read_correlation_id();
  }
  auto before = system_clock().now();
  service.server->stop();  // waits for what is under way
  CHECK(system_clock().now() - before < Server::kStopTimeout);
}

TEST_CASE("connections beyond the limit are closed at once") {
  ServerOptions options;
  options.max_connections = 1;
  Service service(std::move(options));
  Client first(service.port());
  first.write(frame(no_topics(), 4, 1));
  CHECK(first.read_correlation_id() == 1);
  Client second(service.port());
  CHECK(second.read_frame() == "closed");
  first.write(frame(no_topics(), 4, 2));
  CHECK(first.read_correlation_id() == 2);
}

TEST_CASE("a stop closes also the connections that are just being accepted") {
  for (int round = 0; round < 40; round++) {
    Service service;
    Client first(service.port());
    first.write(frame(no_topics(), 4, 1));
    REQUIRE(first.read_correlation_id() == 1);
    Client second(service.port()), third(service.port());  // for either loop
    auto before = system_clock().now();
    service.server->stop();
    REQUIRE(system_clock().now() - before < Server::kStopTimeout);
  }
}

TEST_CASE("when receive buffers run out, requests wait for room") {
  Service service({}, 2000);
  Client client(service.port());
  make_topic(client, "t");
  auto batch = HandlerKit::batch({std::string_view("0123456789012345678901234567890123456789")});
  std::string all;
  for (int32_t i = 0; i < 200; i++) all += frame(produce("t", batch, 1), 7, i);
  client.write(all);
  for (int32_t i = 0; i < 200; i++) REQUIRE(client.read_correlation_id() == i);
}

TEST_CASE("who met a full log is answered at once, and then not served for as long as its answer asks it to pause") {
  Service service;
  Client client(service.port()), other(service.port());
  make_topic(client, "t");
  service.engine.fail_next_append({Errc::kTimedOut, 0, "no room"});
  auto batch = HandlerKit::batch({"v"});
  auto began = system_clock().now();
  client.write(frame(produce("t", batch, -1), 7, 1) + frame(no_topics(), 4, 2));
  std::string produced = client.read_frame();
  CHECK(system_clock().now() - began < std::chrono::milliseconds(900));
  CHECK(Reader(as_byte_span(std::string_view(produced).substr(produced.size() - 4))).int32() == 1000);
  other.write(frame(no_topics(), 4, 3));
  CHECK(other.read_correlation_id() == 3);
  CHECK(system_clock().now() - began < std::chrono::milliseconds(900));
  CHECK(client.read_correlation_id() == 2);
  CHECK(system_clock().now() - began >= std::chrono::milliseconds(1000));
  client.write(frame(produce("t", batch, -1), 7, 4));
  std::string later = client.read_frame();
  CHECK(Reader(as_byte_span(std::string_view(later).substr(later.size() - 4))).int32() == 0);
}

TEST_CASE("a fetched batch is sent as it was stored") {
  Service service;
  Client client(service.port());
  make_topic(client, "t");
  auto batch = HandlerKit::batch({"hello"});
  client.write(frame(produce("t", batch, -1), 7, 1) + frame(wait_for("t", 1000), 11, 2));
  CHECK(client.read_correlation_id() == 1);
  std::string fetched = client.read_frame();
  CHECK(fetched.find(as_text(ByteSpan(batch).subspan(16))) != std::string::npos);  // behind offset and epoch
}

TEST_CASE("a busy port is an error that names it") {
  Service service;
  ServerOptions options;
  options.port = service.port();
  auto second = Server::start(service.engine, service.buffers, system_clock(), system_random(), options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Errc::kBusy);
  CHECK(second.error().what.find(std::to_string(options.port)) != std::string::npos);
}

namespace {

/// Room for one quick request of up to 40,000 bytes, and a budget for slow ones.
struct ScarceBuffers final : ReceiveBuffers {
  explicit ScarceBuffers(size_t slow_bytes) : slow(slow_bytes) {}
  ReceiveBuffer allocate(size_t size, Task when_room) override { return quick.allocate(size, std::move(when_room)); }
  size_t max_quick_bytes() const override { return 40'000; }
  ReceiveBuffer allocate_slow(size_t size) override {
    slow_asked += size;
    return slow.allocate_slow(size);
  }
  HeapReceiveBuffers quick{40'000}, slow;
  size_t slow_asked = 0;
};

/// Gives all of `bytes`, in steps; the sizes of the frames that came, or what went wrong.
std::string take_frames(FrameReader& reader, std::string_view bytes, size_t step) {
  std::string sizes;
  while (!bytes.empty()) {
    size_t n = std::min(step, bytes.size()), room = 0;
    for (MutableByteSpan space : reader.space()) room += space.size();
    n = std::min(n, room);
    size_t left = n;
    for (MutableByteSpan space : reader.space()) {
      size_t part = std::min(space.size(), left);
      std::copy_n(as_byte_span(bytes).begin() + static_cast<ptrdiff_t>(n - left), part, space.begin());
      left -= part;
    }
    reader.received(n);
    bytes.remove_prefix(n);
    while (true) {
      auto frame = reader.next();
      if (!frame) return frame.error().what;
      if (!*frame) break;
      auto got = as_text((*frame)->buffer.bytes);
      CHECK(got.substr(4) == std::string(got.size() - 4, got.back()));
      sizes += std::to_string(got.size()) + " ";
    }
  }
  return sizes;
}

std::string produce_frame(size_t body) {
  Writer w;
  w.int32(static_cast<int32_t>(body)), w.int16(0), w.int16(7);
  return w.flat() + std::string(body - 4, static_cast<char>('a' + body % 26));
}

}  // namespace

TEST_CASE("a request that is only announced takes no memory, a slow one gives back what others wait for") {
  ScarceBuffers buffers(1 << 20);
  auto no_task = [] { return Task([] {}); };
  FrameReader slow(buffers, 1 << 20, no_task), other(buffers, 1 << 20, no_task);
  std::string frame = produce_frame(35'000);
  CHECK(take_frames(slow, std::string_view(frame).substr(0, 1000), 1000) == "");
  CHECK_FALSE(slow.is_quick());
  CHECK(take_frames(other, frame, 9000) == "35000 ");  // nothing was taken yet
  CHECK(take_frames(slow, std::string_view(frame).substr(1000, 20'000), 1000) == "");
  CHECK(slow.is_quick());
  CHECK(slow.waits_for_client());
  CHECK(take_frames(other, std::string_view(frame).substr(0, 16'384), 16'384) == "");
  CHECK_FALSE(other.waits_for_client());
  REQUIRE(slow.slow_down().has_value());
  CHECK_FALSE(slow.is_quick());
  CHECK(take_frames(other, std::string_view(frame).substr(16'384), 9000) == "35000 ");
  CHECK(take_frames(slow, std::string_view(frame).substr(21'000), 700) == "35000 ");
}

TEST_CASE("a long request gets memory as its bytes come, and ends where there is none") {
  for (size_t step : {1000u, 16'384u, 300'000u}) {
    CAPTURE(step);
    ScarceBuffers buffers(1 << 20);
    FrameReader reader(buffers, 1 << 20, [] { return Task([] {}); });
    std::string frame = produce_frame(500'000);
    CHECK(take_frames(reader, frame.substr(0, 20'000), step) == "");
    CHECK(buffers.slow_asked <= 64 << 10);
    CHECK(take_frames(reader, frame.substr(20'000) + produce_frame(9) + frame + produce_frame(30'000), step) ==
          "500000 9 500000 30000 ");
  }
  ScarceBuffers buffers(200'000);
  FrameReader reader(buffers, 1 << 20, [] { return Task([] {}); });
  CHECK(take_frames(reader, produce_frame(500'000), 10'000) == "no memory for a slow or long request of 500000 bytes");
}

TEST_CASE("the frame reader cuts any split of a stream into the same frames") {
  HeapReceiveBuffers buffers(64 << 20);
  std::string stream;
  for (size_t body : {8u, 20u, 16'000u, 20'000u, 9u, 40'000u}) {
    Writer w;
    w.int32(static_cast<int32_t>(body)), w.int16(0), w.int16(7);
    stream += w.flat() + std::string(body - 4, static_cast<char>('a' + body % 26));
  }
  for (size_t step : {1u, 3u, 1000u, 16'384u, 100'000u}) {
    CAPTURE(step);
    FrameReader reader(buffers, 100'000, [] { return Task([] {}); });
    std::vector<size_t> sizes;
    std::string_view rest = stream;
    while (!rest.empty()) {
      size_t sent = 0;
      for (MutableByteSpan space : reader.space()) {
        size_t n = std::min({space.size(), rest.size(), step - sent});
        std::copy_n(as_byte_span(rest).begin(), n, space.begin());
        rest.remove_prefix(n);
        sent += n;
      }
      reader.received(sent);
      for (auto f = reader.next(); f && *f; f = reader.next()) {
        sizes.push_back((*f)->buffer.bytes.size());
        CHECK(static_cast<char>((*f)->buffer.bytes.back()) == static_cast<char>('a' + sizes.back() % 26));
      }
    }
    CHECK(sizes == std::vector<size_t>{8, 20, 16'000, 20'000, 9, 40'000});
    CHECK_FALSE(reader.is_inside_frame());
  }
}
