#include "object/s3/s3_store.h"

#include <utility>

#include "object/object_key.h"
#include "object/s3/answers.h"
#include "object/s3/xml.h"

namespace topicfs::s3 {
namespace {

std::string host_of(const S3Config& config) {
  return config.path_style ? config.endpoint.host : config.bucket + "." + config.endpoint.host;
}

const char* name_of(HttpRequest::Method method) {
  switch (method) {
    case HttpRequest::Method::get: return "GET";
    case HttpRequest::Method::put: return "PUT";
    case HttpRequest::Method::remove: return "DELETE";
  }
  return "";
}

std::string range_header(ObjectRange range) {
  return "bytes=" + std::to_string(range.offset) + "-" + std::to_string(range.offset + range.size - 1);
}

}  // namespace

S3Store::S3Store(S3Config config, Clock& clock)
    : config_(std::move(config)), host_(host_of(config_)), clock_(clock), http_(config_.limits),
      hashing_(config_.endpoint.tls ? 0 : 1, kMaxHashing) {}

S3Store::~S3Store() {
  http_.close();     // its completions may ask for another put
  hashing_.close();  // and those find it closed
}

std::string S3Store::url() const {
  return "s3://" + config_.bucket + (config_.prefix.empty() ? "" : "/" + config_.prefix);
}

std::string S3Store::bucket_key(const std::string& key) const {
  return config_.prefix.empty() ? key : config_.prefix + "/" + key;
}

std::string S3Store::doing(const char* verb, const std::string& key) const {
  return std::string(verb) + " " + url() + "/" + key;
}

template <class T>
void S3Store::answer(Completion<T>& done, Result<T> outcome) {
  if (!outcome && is_failure(outcome.error())) counted_.errors++;
  done(std::move(outcome));
}

/// Every request passes here. Errors of the network get the server's address.
void S3Store::send(Call call, Completion<HttpResponse> done) {
  std::string path = config_.path_style ? "/" + percent_encode(config_.bucket, Slash::keep) : "";
  if (!call.key.empty() || path.empty()) path += "/" + percent_encode(call.key, Slash::keep);
  std::string query = encode_query(call.query);
  HttpRequest request;
  request.method = call.method;
  request.url = config_.endpoint.scheme() + "://" + host_ + path + (query.empty() ? "" : "?" + query);
  request.body = std::move(call.body);
  request.max_response_bytes = call.max_response_bytes;
  request.headers = [this, call = std::move(call), path, query] { return signed_headers(call, path, query); };
  request.done = [this, done = std::move(done)](Result<HttpResponse> r) mutable {
    if (!r) r.error().what = config_.endpoint.scheme() + "://" + host_ + ": " + r.error().what;
    done(std::move(r));
  };
  http_.send(std::move(request));
}

std::vector<std::string> S3Store::signed_headers(const Call& call, const std::string& path,
                                                 const std::string& query) const {
  static const std::string kHashOfNothing = sha256_hex(std::string_view());
  std::string date = amz_date(clock_.wall_now());
  RequestToSign to_sign{name_of(call.method), path, query, call.headers,
                        call.payload_hash.empty() ? kHashOfNothing : call.payload_hash};
  to_sign.headers.emplace_back("host", host_);
  to_sign.headers.emplace_back("x-amz-date", date);
  to_sign.headers.emplace_back("x-amz-content-sha256", to_sign.payload_hash);
  if (!config_.credentials.session_token.empty())
    to_sign.headers.emplace_back("x-amz-security-token", config_.credentials.session_token);
  std::vector<std::string> lines;
  for (const auto& [name, value] : to_sign.headers) lines.push_back(name + ": " + value);
  lines.push_back("Authorization: " + authorization(to_sign, date, config_.credentials, {config_.region, "s3"}));
  lines.push_back("Expect:");  // no round trip before the body: most servers answer it late or never
  return lines;
}

void S3Store::put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) {
  if (auto ok = check_object_key(key); !ok) return answer(done, std::move(ok));
  if (config_.endpoint.tls)
    return send_put(key, std::move(pieces), overwrite, std::string(kUnsignedPayload), std::move(done));
  // Without TLS the payload's hash is what keeps the body whole. It takes a while, so not here.
  struct Put {
    std::string key;
    std::vector<ByteSpan> pieces;
    Completion<void> done;
  };
  auto owned = std::make_unique<Put>(Put{std::move(key), std::move(pieces), std::move(done)});
  Put* put = owned.get();
  WorkerPool::Job job = [this, put = std::move(owned), overwrite](Turn turn) {
    if (turn == Turn::closing) return answer<void>(put->done, fail(Errc::kClosed, "the object store is closing"));
    std::string hash = sha256_hex(put->pieces);
    send_put(put->key, std::move(put->pieces), overwrite, std::move(hash), std::move(put->done));
  };
  if (!hashing_.submit(job)) answer<void>(put->done, fail(Errc::kFull, doing("put", put->key) + ": too many puts wait"));
}

void S3Store::send_put(const std::string& key, std::vector<ByteSpan> pieces, Overwrite overwrite,
                       std::string payload_hash, Completion<void> done) {
  Call call;
  call.method = HttpRequest::Method::put;
  call.key = bucket_key(key);
  if (overwrite == Overwrite::refuse) call.headers.emplace_back("if-none-match", "*");
  call.payload_hash = std::move(payload_hash);
  call.body = std::move(pieces);
  call.max_response_bytes = kMaxErrorBytes;
  uint64_t size = 0;
  for (ByteSpan piece : call.body) size += piece.size();
  counted_.puts++;
  send(std::move(call), [this, key, size, overwrite, done = std::move(done)](Result<HttpResponse> r) mutable {
    if (!r) return answer<void>(done, tl::unexpected<Error>(std::move(r).error()));
    if (r->status == 200 || r->status == 201) {
      counted_.put_bytes += size;
      return answer<void>(done, {});
    }
    Error error = error_of(*r, doing("put", key));
    // Without a condition, a conflict is another writer's put at the same time.
    if (overwrite == Overwrite::allow && error.code == Errc::kExists) error.code = Errc::kUnavailable;
    if (error.code == Errc::kNotFound) error.code = Errc::kInvalidArgument;  // the bucket
    answer<void>(done, tl::unexpected<Error>(std::move(error)));
  });
}

void S3Store::get(std::string key, ObjectRange range, Completion<ObjectBytes> done) {
  if (auto ok = check_object_key(key); !ok) return answer<ObjectBytes>(done, tl::unexpected<Error>(std::move(ok).error()));
  if (range.size == 0 || range.offset > UINT64_MAX - range.size)
    return answer<ObjectBytes>(done, fail(Errc::kInvalidArgument, doing("get", key) + ": no bytes asked for"));
  if (range.size > kMaxGetBytes)
    return answer<ObjectBytes>(done, fail(Errc::kTooLarge, doing("get", key) + ": more bytes than one get brings"));
  Call call;
  call.key = bucket_key(key);
  call.headers.emplace_back("range", range_header(range));
  call.max_response_bytes = range.size;
  counted_.gets++;
  send(std::move(call), [this, key, range, done = std::move(done)](Result<HttpResponse> r) mutable {
    if (!r) return answer<ObjectBytes>(done, tl::unexpected<Error>(std::move(r).error()));
    counted_.get_bytes += r->body.size();
    answer(done, bytes_of_range(std::move(*r), range, doing("get", key)));
  });
}

void S3Store::get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) {
  if (auto ok = check_object_key(key); !ok) return answer<ObjectBytes>(done, tl::unexpected<Error>(std::move(ok).error()));
  if (max_bytes == 0 || max_bytes > kMaxGetBytes)
    return answer<ObjectBytes>(done, fail(Errc::kInvalidArgument, doing("get", key) + ": a tail of 1 byte to 256 MiB"));
  Call call;
  call.key = bucket_key(key);
  call.headers.emplace_back("range", "bytes=-" + std::to_string(max_bytes));
  call.max_response_bytes = max_bytes;
  counted_.gets++;
  send(std::move(call), [this, key, max_bytes, done = std::move(done)](Result<HttpResponse> r) mutable {
    if (!r) return answer<ObjectBytes>(done, tl::unexpected<Error>(std::move(r).error()));
    counted_.get_bytes += r->body.size();
    answer(done, bytes_of_tail(std::move(*r), max_bytes, doing("get", key)));
  });
}

/// A listing under way, from page to page.
struct S3Store::Listing {
  std::string prefix, start_after, token;
  std::vector<ListedObject> objects;
  Completion<std::vector<ListedObject>> done;
};

void S3Store::list(std::string prefix, std::string start_after, Completion<std::vector<ListedObject>> done) {
  auto listing = std::make_unique<Listing>();
  listing->prefix = std::move(prefix);
  listing->start_after = std::move(start_after);
  listing->done = std::move(done);
  list_page(std::move(listing));
}

void S3Store::list_page(std::unique_ptr<Listing> listing) {
  Call call;
  call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", bucket_key(listing->prefix)}};
  if (!listing->token.empty()) call.query.emplace_back("continuation-token", listing->token);
  else if (!listing->start_after.empty()) call.query.emplace_back("start-after", bucket_key(listing->start_after));
  call.max_response_bytes = kMaxListBytes;
  counted_.lists++;
  send(std::move(call), [this, listing = std::move(listing)](Result<HttpResponse> r) mutable {
    if (!r) return answer<std::vector<ListedObject>>(listing->done, tl::unexpected<Error>(std::move(r).error()));
    auto more = take_page(*listing, std::move(*r));
    if (!more) return answer<std::vector<ListedObject>>(listing->done, tl::unexpected<Error>(std::move(more).error()));
    if (*more) return list_page(std::move(listing));
    answer<std::vector<ListedObject>>(listing->done, std::move(listing->objects));
  });
}

/// Append a page's keys. True if there is another page.
Result<bool> S3Store::take_page(Listing& listing, HttpResponse response) {
  std::string what = doing("list", listing.prefix);
  if (response.status != 200) {
    Error error = error_of(response, what);
    if (error.code == Errc::kNotFound) error.code = Errc::kInvalidArgument;  // the bucket
    return tl::unexpected<Error>(std::move(error));
  }
  if (response.cut) return fail(Errc::kUnavailable, what + ": the server sent too large a page");
  auto page = parse_list_page(response.body);
  if (!page) return fail(page.error().code, what + ": " + page.error().what);
  std::string own = config_.prefix.empty() ? "" : config_.prefix + "/";
  for (ListedObject& object : page->objects) {
    if (!object.key.starts_with(own + listing.prefix))
      return fail(Errc::kUnavailable, what + ": the server listed a key that was not asked for");
    object.key.erase(0, own.size());
    // Pages that go back or stand still would never end, and a gap between two would go unnoticed.
    const std::string& before = listing.objects.empty() ? listing.start_after : listing.objects.back().key;
    if (object.key <= before && !before.empty())
      return fail(Errc::kUnavailable, what + ": the server's listing is not ascending");
    if (listing.objects.size() >= kMaxListedObjects) return fail(Errc::kTooLarge, what + ": too many objects to list");
    listing.objects.push_back(std::move(object));
  }
  if (page->truncated && (page->objects.empty() || page->next_token == listing.token))
    return fail(Errc::kUnavailable, what + ": the server's listing does not go on");
  listing.token = std::move(page->next_token);
  return page->truncated;
}

void S3Store::remove(std::string key, Completion<void> done) {
  if (auto ok = check_object_key(key); !ok) return answer(done, std::move(ok));
  Call call;
  call.method = HttpRequest::Method::remove;
  call.key = bucket_key(key);
  call.max_response_bytes = kMaxErrorBytes;
  counted_.deletes++;
  send(std::move(call), [this, key, done = std::move(done)](Result<HttpResponse> r) mutable {
    if (!r) return answer<void>(done, tl::unexpected<Error>(std::move(r).error()));
    if (r->status == 200 || r->status == 204) return answer<void>(done, {});
    Error error = error_of(*r, doing("remove", key));
    if (error.code == Errc::kNotFound) return answer<void>(done, {});
    answer<void>(done, tl::unexpected<Error>(std::move(error)));
  });
}

StoreCounters S3Store::counters() const {
  StoreCounters c;
  c.puts = counted_.puts, c.gets = counted_.gets, c.lists = counted_.lists, c.deletes = counted_.deletes;
  c.put_bytes = counted_.put_bytes, c.get_bytes = counted_.get_bytes, c.errors = counted_.errors;
  return c;
}

}  // namespace topicfs::s3
