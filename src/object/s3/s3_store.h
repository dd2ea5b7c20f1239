// S3Store: an ObjectStore on a bucket of any server that speaks S3, "s3://BUCKET[/PREFIX]".
// A conditional put is one PUT with "If-None-Match: *"; a server that ignores that header would
// overwrite, so who relies on it tries it once first.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/clock.h"
#include "object/object_store.h"
#include "object/s3/http_worker.h"
#include "object/s3/sigv4.h"
#include "object/worker_pool.h"

namespace topicfs::s3 {

struct S3Config {
  std::string bucket;
  std::string prefix;  ///< "" or without a slash at either end
  Endpoint endpoint;
  std::string region;
  bool path_style = false;  ///< http://host/bucket/key, not http://bucket.host/key
  Credentials credentials;
  HttpLimits limits;
};

class S3Store final : public ObjectStore {
 public:
  static constexpr size_t kMaxListBytes = 16 << 20;  ///< of one page
  static constexpr size_t kMaxHashing = 256;         ///< puts that wait for their checksum

  /// Sends nothing yet. `clock` outlives the store.
  S3Store(S3Config config, Clock& clock);
  ~S3Store() override;

  void put(std::string key, std::vector<ByteSpan> pieces, Overwrite overwrite, Completion<void> done) override;
  void get(std::string key, ObjectRange range, Completion<ObjectBytes> done) override;
  void get_tail(std::string key, uint64_t max_bytes, Completion<ObjectBytes> done) override;
  void list(std::string prefix, std::string start_after, Completion<std::vector<ListedObject>> done) override;
  void remove(std::string key, Completion<void> done) override;
  StoreCounters counters() const override;
  std::string url() const override;

 private:
  struct Call {
    HttpRequest::Method method = HttpRequest::Method::get;
    std::string key;           ///< in the bucket, "" for the bucket itself
    Query query;
    Headers headers;           ///< besides the ones that every request has
    std::string payload_hash;  ///< "": of no payload
    std::vector<ByteSpan> body;
    uint64_t max_response_bytes = 0;
  };
  struct Listing;
  void send(Call call, Completion<HttpResponse> done);
  void send_put(const std::string& key, std::vector<ByteSpan> pieces, Overwrite overwrite, std::string payload_hash,
                Completion<void> done);
  void list_page(std::unique_ptr<Listing> listing);
  Result<bool> take_page(Listing& listing, HttpResponse response);
  std::vector<std::string> signed_headers(const Call& call, const std::string& path, const std::string& query) const;
  std::string bucket_key(const std::string& key) const;
  std::string doing(const char* verb, const std::string& key) const;
  template <class T>
  void answer(Completion<T>& done, Result<T> outcome);

  const S3Config config_;
  const std::string host_;
  Clock& clock_;
  struct {
    std::atomic<uint64_t> puts{0}, gets{0}, lists{0}, deletes{0}, put_bytes{0}, get_bytes{0}, errors{0};
  } counted_;
  HttpWorker http_;
  WorkerPool hashing_;  ///< of payloads, which only plain HTTP needs
};

}  // namespace topicfs::s3
