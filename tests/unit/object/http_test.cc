#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/unique_fd.h"
#include "object/open_store.h"
#include "object/s3/s3_store.h"
#include "unit/object/store_claims.h"

using namespace topicfs;
using namespace topicfs::s3;
using namespace std::chrono_literals;

namespace {

/// A server that reads a request's head and sends the same answer to everyone; none if it is "".
class CannedServer {
 public:
  explicit CannedServer(std::string answer) : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~CannedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  uint16_t port = 0;
  std::atomic<int> requests{0};
  std::string head;  ///< of the last request; read it after its answer

 private:
  void run() {
    std::vector<UniqueFd> silent;  // kept open until the end
    while (true) {
      UniqueFd client(::accept(listener_.get(), nullptr, nullptr));
      if (!client) return;
      std::string got;
      char buffer[4096];
      while (got.find("\r\n\r\n") == std::string::npos) {
        ssize_t n = ::recv(client.get(), buffer, sizeof buffer, 0);
        if (n <= 0) break;
        got.append(buffer, static_cast<size_t>(n));
      }
      head = got;
      requests++;
      if (answer_.empty()) silent.push_back(std::move(client));
      else (void)!::send(client.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    }
  }
  const std::string answer_;
  UniqueFd listener_;
  std::thread thread_;
};

struct Fixture {
  std::unique_ptr<CannedServer> server;
  std::unique_ptr<S3Store> opened;
  ObjectStore& store() { return *opened; }
  void drive() {}
  Waiting<Fixture> use(std::string answer, HttpLimits limits = {}) {
    server = std::make_unique<CannedServer>(std::move(answer));
    open(server->port, limits);
    return {*this};
  }
  void open(uint16_t port, HttpLimits limits = {}) {
    S3Config config;
    config.bucket = "bucket";
    config.endpoint = {false, "127.0.0.1:" + std::to_string(port)};
    config.region = "us-east-1";
    config.path_style = true;
    config.credentials = {"key", "secret", "token"};
    config.limits = limits;
    opened = std::make_unique<S3Store>(config, system_clock());
  }
};

std::string http(const std::string& status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "requests carry a signature, a token and the range") {
  auto s = use(http("206 Partial", "0123", "Content-Range: bytes 6-9/10\r\n"));
  CHECK(text_of(s.get_tail("a/b", 4)) == "0123");
  CHECK(server->head.find("GET /bucket/a/b HTTP/1.1\r\n") == 0);
  CHECK(server->head.find("range: bytes=-4\r\n") != std::string::npos);
  CHECK(server->head.find("x-amz-security-token: token\r\n") != std::string::npos);
  CHECK(server->head.find("SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token,") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a conditional put says so, and a server without it is told apart from one that has the key") {
  CHECK(use(http("501 No", "<Error><Code>NotImplemented</Code></Error>")).put("k", "x", Overwrite::refuse).error().code ==
        Errc::kUnsupported);
  CHECK(server->head.find("if-none-match: *\r\n") != std::string::npos);
  CHECK(use(http("412 No", "")).put("k", "x", Overwrite::refuse).error().code == Errc::kExists);
  CHECK(use(http("409 No", "")).put("k", "x", Overwrite::refuse).error().code == Errc::kExists);
  CHECK(use(http("200 OK", "")).put("k", "x", Overwrite::refuse));
  CHECK(use(http("409 No", "")).put("k", "x", Overwrite::allow).error().code == Errc::kUnavailable);
  CHECK(server->head.find("if-none-match") == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a server that sends more than it was asked for is not followed") {
  std::string flood(8 << 20, 'x');
  CHECK(use(http("206 Partial", flood, "Content-Range: bytes 0-9/10\r\n")).get("k", 0, 10).error().code ==
        Errc::kUnavailable);
  CHECK(use(http("200 OK", flood)).get_tail("k", 10).error().code == Errc::kUnsupported);
  CHECK(use(http("503 Slow", flood)).get_tail("k", 10).error().code == Errc::kUnavailable);
  CHECK(use(http("200 OK", flood)).put("k", "x").has_value());
}

TEST_CASE_FIXTURE(Fixture, "an answer that breaks off is an error that can be retried") {
  std::string half = "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/10\r\n\r\n01234";
  CHECK(use(half).get("k", 0, 10).error().code == Errc::kUnavailable);
  CHECK(use("HTTP/1.1 200").get("k", 0, 10).error().code == Errc::kUnavailable);
  CHECK(use("nonsense\r\n\r\n").get("k", 0, 10).error().code == Errc::kUnavailable);
}

TEST_CASE_FIXTURE(Fixture, "a server that does not answer ends in time") {
  auto s = use("", {.request_timeout = 200ms});
  auto r = s.get("k", 0, 10);
  REQUIRE_FALSE(r);
  CHECK(r.error().code == Errc::kUnavailable);
  CHECK(r.error().what.find("http://127.0.0.1:") == 0);
}

TEST_CASE_FIXTURE(Fixture, "an unreachable server is unavailable, and the message names it") {
  uint16_t port = CannedServer("").port;  // closed again
  open(port);
  auto r = Waiting<Fixture>{*this}.put("k", "x");
  REQUIRE_FALSE(r);
  CHECK(r.error().code == Errc::kUnavailable);
  CHECK(r.error().what.find(std::to_string(port)) != std::string::npos);
  CHECK(store().counters().errors == 1);
}

TEST_CASE_FIXTURE(Fixture, "closing the store answers requests in flight and those that wait") {
  use("", {.max_active = 2, .max_queued = 5});
  std::atomic<int> closed{0}, refused{0};
  for (int i = 0; i < 20; i++) {
    store().get("k", {0, 10}, [&](Result<ObjectBytes> r) {
      REQUIRE_FALSE(r);
      if (r.error().code == Errc::kClosed) closed++;
      if (r.error().code == Errc::kFull) refused++;
    });
  }
  store().put("k", {as_byte_span("x")}, Overwrite::allow, [&](Result<void> r) {
    if (r.error().code == Errc::kClosed) closed++;
    if (r.error().code == Errc::kFull) refused++;
  });
  opened.reset();
  CHECK(closed + refused == 21);
  CHECK(closed >= 5);
  CHECK(refused >= 1);
}

TEST_CASE_FIXTURE(Fixture, "a listing that is truncated, unordered or of foreign keys is refused") {
  auto page = [](const std::string& inside) {
    return http("200 OK", "<ListBucketResult>" + inside + "</ListBucketResult>");
  };
  auto entry = [](const std::string& key) { return "<Contents><Key>" + key + "</Key><Size>1</Size></Contents>"; };
  std::string all = "<IsTruncated>false</IsTruncated>", more = "<IsTruncated>true</IsTruncated>";
  CHECK(keys_of(use(page(all + entry("a/1") + entry("a/2"))).list("a/")) == "a/1:1 a/2:1 ");
  CHECK_FALSE(use(page(more + entry("a/1"))).list("a/"));
  CHECK_FALSE(use(page(all + entry("a/2") + entry("a/1"))).list("a/"));
  CHECK_FALSE(use(page(all + entry("b/1"))).list("a/"));
  CHECK_FALSE(use(page(all + entry("a/1"))).list("a/", "a/1"));
  // The same page for ever.
  CHECK_FALSE(use(page(more + "<NextContinuationToken>t</NextContinuationToken>" + entry("a/1"))).list("a/"));
  CHECK_FALSE(use(page(more + "<NextContinuationToken>t</NextContinuationToken>")).list("a/"));
  CHECK(server->requests <= 2);
}

TEST_CASE("the URL of a store is a directory or a bucket, and anything else is refused with the forms that work") {
  auto code = [](const std::string& url, S3Options options = {}) {
    auto r = open_store(url, options, system_clock());
    return r ? (*r)->url() : std::string(name_of(r.error().code));
  };
  ::setenv("AWS_ACCESS_KEY_ID", "key", 1), ::setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
  CHECK(code("s3://bucket") == "s3://bucket");
  CHECK(code("s3://bucket/a/b/") == "s3://bucket/a/b");
  CHECK(code("s3://bucket/a", {.endpoint = "http://127.0.0.1:1", .region = "", .path_style = Choice::automatic}) ==
        "s3://bucket/a");
  for (auto bad : {"", "bucket", "http://x", "s3:bucket", "s3://", "s3://b", "s3:///x", "s3://bucket//x", "s3://buc ket", "file:"})
    CHECK(code(bad) == "invalid argument");
  CHECK(code("s3://bucket", {.endpoint = "127.0.0.1", .region = "", .path_style = Choice::automatic}) == "invalid argument");
  ::unsetenv("AWS_ACCESS_KEY_ID");
  CHECK(code("s3://bucket") == "denied");
  ::unsetenv("AWS_SECRET_ACCESS_KEY");
  std::string directory = "/tmp/topicfs-object-url-" + std::to_string(::getpid());
  CHECK(code("file:" + directory) == "file:" + directory);
  CHECK(code("file://" + directory + "/") == "file:" + directory);
  (void)!::system(("rm -r " + directory).c_str());
}
