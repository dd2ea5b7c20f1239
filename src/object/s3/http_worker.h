// HttpWorker: one thread that carries many HTTP requests at a time (libcurl's multi interface).
// Knows nothing of S3. A request is sent once.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <topicfs/completion.h>
#include <topicfs/types.h>

namespace topicfs::s3 {

struct HttpLimits {
  size_t max_active = 16;    ///< requests, and connections
  size_t max_queued = 1024;  ///< that wait for one of these; more get kFull
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds stall_timeout{20'000};    ///< without a kilobyte per second
  std::chrono::milliseconds request_timeout{120'000};  ///< from start to end
};

struct HttpResponse {
  int status = 0;
  std::vector<std::byte> body;
  bool cut = false;  ///< the server sent more than the request's limit: the rest was not read
  std::string content_range, bucket_region, request_id;  ///< headers; "" if there is none
};

struct HttpRequest {
  enum class Method { get, put, remove };
  Method method = Method::get;
  std::string url;
  /// "Name: value" lines, made when the request is sent, on the worker's thread: they are signed
  /// with a time.
  std::function<std::vector<std::string>()> headers;
  std::vector<ByteSpan> body;      ///< of a put; must stay until `done`
  uint64_t max_response_bytes = 0;  ///< of an answer below 300; kMaxErrorBytes of others
  /// kUnavailable (network, time-outs), kInvalidArgument (address, certificate), kFull, kClosed.
  Completion<HttpResponse> done;
};
inline constexpr uint64_t kMaxErrorBytes = 64 << 10;

class HttpWorker {
 public:
  explicit HttpWorker(HttpLimits limits);
  ~HttpWorker();

  /// Thread-safe; never blocks. `done` runs on the worker's thread; kFull and kClosed before `send` returns.
  void send(HttpRequest request);
  /// Ends what is in flight and what waits with kClosed. Not from the worker's thread.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace topicfs::s3
