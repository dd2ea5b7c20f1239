#include "object/s3/http_worker.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"

namespace topicfs::s3 {
namespace {

/// A request on its way. libcurl's callbacks get a pointer to it.
struct Transfer {
  HttpRequest request;
  HttpResponse response;
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  char error_text[CURL_ERROR_SIZE] = {};
  size_t piece = 0, in_piece = 0;  // where the body's reader stands

  explicit Transfer(HttpRequest r) : request(std::move(r)) {}
  ~Transfer() {
    if (easy) ::curl_easy_cleanup(easy);
    ::curl_slist_free_all(headers);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  uint64_t body_size() const {
    uint64_t size = 0;
    for (ByteSpan p : request.body) size += p.size();
    return size;
  }
};

size_t on_read(char* to, size_t, size_t room, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  size_t filled = 0;
  while (filled < room && t.piece < t.request.body.size()) {
    ByteSpan rest = t.request.body[t.piece].subspan(t.in_piece);
    size_t n = std::min(rest.size(), room - filled);
    if (n > 0) std::memcpy(to + filled, rest.data(), n);
    filled += n;
    t.in_piece += n;
    if (n == rest.size()) t.piece++, t.in_piece = 0;
  }
  return filled;
}

/// libcurl starts over when a kept connection turns out to be dead.
int on_seek(void* user, curl_off_t offset, int origin) {
  auto& t = *static_cast<Transfer*>(user);
  if (origin != SEEK_SET || offset != 0) return CURL_SEEKFUNC_CANTSEEK;
  t.piece = t.in_piece = 0;
  return CURL_SEEKFUNC_OK;
}

size_t on_write(char* bytes, size_t, size_t size, void* user) {
  auto& t = *static_cast<Transfer*>(user);
  long status = 0;
  ::curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &status);
  uint64_t limit = status < 300 ? t.request.max_response_bytes : kMaxErrorBytes;
  auto& body = t.response.body;
  if (body.empty()) {
    curl_off_t announced = 0;
    ::curl_easy_getinfo(t.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    if (announced > 0) body.reserve(std::min(limit, static_cast<uint64_t>(announced)));
  }
  size_t taken = static_cast<size_t>(std::min<uint64_t>(size, limit - body.size()));
  auto* first = reinterpret_cast<const std::byte*>(bytes);
  body.insert(body.end(), first, first + taken);
  if (taken < size) t.response.cut = true;
  return taken;  // fewer than given: libcurl ends the transfer
}

size_t on_header(char* bytes, size_t, size_t size, void* user) {
  auto& r = static_cast<Transfer*>(user)->response;
  std::string_view line(bytes, size);
  auto value_of = [&](std::string_view name, std::string& to) {
    if (line.size() <= name.size() + 1 || line[name.size()] != ':') return;
    if (::curl_strnequal(line.data(), name.data(), name.size()) == 0) return;
    std::string_view value = line.substr(name.size() + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && static_cast<uint8_t>(value.back()) <= ' ') value.remove_suffix(1);
    to = value.substr(0, 200);
  };
  value_of("content-range", r.content_range);
  value_of("x-amz-bucket-region", r.bucket_region);
  value_of("x-amz-request-id", r.request_id);
  return size;
}

Errc code_of(CURLcode code) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return Errc::kInvalidArgument;
    default: return Errc::kUnavailable;  // an open set; all of the network's troubles are here
  }
}

void set_up_libcurl() {
  static const CURLcode once = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  MUST(once == CURLE_OK);
}

}  // namespace

class HttpWorker::Impl {
 public:
  explicit Impl(HttpLimits limits) : limits_(limits) {
    set_up_libcurl();
    multi_ = ::curl_multi_init();
    MUST(multi_);
    ::curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(limits.max_active));
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() {
    close();
    ::curl_multi_cleanup(multi_);
  }

  void send(HttpRequest request) {
    MutexLock lock(mutex_);
    if (closing_) {
      lock.unlock();
      return request.done(fail(Errc::kClosed, "the object store is closing"));
    }
    if (queue_.size() >= limits_.max_queued) {
      lock.unlock();
      return request.done(fail(Errc::kFull, "too many requests wait for the object store"));
    }
    queue_.push_back(std::make_unique<Transfer>(std::move(request)));
    lock.unlock();
    ::curl_multi_wakeup(multi_);
  }

  void close() {
    {
      MutexLock lock(mutex_);
      closing_ = true;
    }
    ::curl_multi_wakeup(multi_);
    if (!thread_.joinable()) return;
    MUST(thread_.get_id() != std::this_thread::get_id());
    thread_.join();
    // The worker is gone, and send() takes no more: what is left is ours.
    std::deque<std::unique_ptr<Transfer>> left;
    {
      MutexLock lock(mutex_);
      left.swap(queue_);
    }
    for (auto& [easy, transfer] : active_) {
      ::curl_multi_remove_handle(multi_, easy);
      left.push_back(std::move(transfer));
    }
    active_.clear();
    for (auto& transfer : left) transfer->request.done(fail(Errc::kClosed, "the object store is closing"));
  }

 private:
  static constexpr int kIdleWaitMs = 60'000;  // libcurl shortens it to its next time-out

  void run() {
    while (true) {
      std::deque<std::unique_ptr<Transfer>> starting;
      {
        MutexLock lock(mutex_);
        if (closing_) return;
        while (!queue_.empty() && active_.size() + starting.size() < limits_.max_active) {
          starting.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      for (auto& transfer : starting) start(std::move(transfer));
      int running = 0;
      MUST(::curl_multi_perform(multi_, &running) == CURLM_OK);
      if (reap()) continue;  // room for the next ones
      MUST(::curl_multi_poll(multi_, nullptr, 0, kIdleWaitMs, nullptr) == CURLM_OK);
    }
  }

  void start(std::unique_ptr<Transfer> transfer) {
    Transfer& t = *transfer;
    t.easy = ::curl_easy_init();
    MUST(t.easy);
    for (const std::string& line : t.request.headers()) t.headers = ::curl_slist_append(t.headers, line.c_str());
    set_options(t);
    MUST(::curl_multi_add_handle(multi_, t.easy) == CURLM_OK);
    active_.emplace(t.easy, std::move(transfer));
  }

  void set_options(Transfer& t) {
    CURL* e = t.easy;
    ::curl_easy_setopt(e, CURLOPT_URL, t.request.url.c_str());
    ::curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    ::curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    ::curl_easy_setopt(e, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    ::curl_easy_setopt(e, CURLOPT_HTTPHEADER, t.headers);
    ::curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    ::curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 256L << 10);
    ::curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    ::curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t.error_text);
    ::curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect_timeout.count()));
    ::curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.request_timeout.count()));
    ::curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1024L);
    ::curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                       static_cast<long>(std::chrono::ceil<std::chrono::seconds>(limits_.stall_timeout).count()));
    ::curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_write);
    ::curl_easy_setopt(e, CURLOPT_WRITEDATA, &t);
    ::curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    ::curl_easy_setopt(e, CURLOPT_HEADERDATA, &t);
    switch (t.request.method) {
      case HttpRequest::Method::get: break;
      case HttpRequest::Method::put:
        ::curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
        ::curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(t.body_size()));
        ::curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
        ::curl_easy_setopt(e, CURLOPT_READDATA, &t);
        ::curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
        ::curl_easy_setopt(e, CURLOPT_SEEKDATA, &t);
        break;
      case HttpRequest::Method::remove: ::curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "DELETE"); break;
    }
  }

  /// Answer what is finished. True if anything was.
  bool reap() {
    bool any = false;
    int left = 0;
    while (CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURLcode code = message->data.result;
      CURL* easy = message->easy_handle;
      ::curl_multi_remove_handle(multi_, easy);
      auto found = active_.find(easy);
      MUST(found != active_.end());
      auto transfer = std::move(found->second);
      active_.erase(found);
      finish(*transfer, code);
      any = true;
    }
    return any;
  }

  void finish(Transfer& t, CURLcode code) {
    long status = 0;
    ::curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &status);
    t.response.status = static_cast<int>(status);
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && t.response.cut))
      return t.request.done(std::move(t.response));
    std::string what = t.error_text[0] ? t.error_text : ::curl_easy_strerror(code);
    t.request.done(fail(code_of(code), std::move(what)));
  }

  const HttpLimits limits_;
  CURLM* multi_ = nullptr;
  Mutex mutex_;
  std::deque<std::unique_ptr<Transfer>> queue_ GUARDED_BY(mutex_);
  bool closing_ GUARDED_BY(mutex_) = false;
  std::unordered_map<CURL*, std::unique_ptr<Transfer>> active_;  // the worker's; close()'s after it
  std::thread thread_;
};

HttpWorker::HttpWorker(HttpLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
HttpWorker::~HttpWorker() = default;
void HttpWorker::send(HttpRequest request) { impl_->send(std::move(request)); }
void HttpWorker::close() { impl_->close(); }

}  // namespace topicfs::s3
