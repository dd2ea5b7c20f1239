#include "kafka/handlers/dispatch.h"

#include <unordered_map>

#include "base/check.h"
#include "kafka/handlers/handlers.h"
#include "kafka/wire/decode.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/trace.h"

namespace topicfs::kafka {

template <class Req, class Resp>
bool Call<Req, Resp>::decode_request(Reader& r) {
  decode(r, request, encoding);
  return r.ok();
}

template <class Req, class Resp>
void Call<Req, Resp>::encode_response(Writer& w) {
  begin_response(w, header, encoding.flexible);
  encode(w, response, encoding);
  end_response(w);
}

template <class Req, class Resp>
std::string Call<Req, Resp>::trace_request() const {
  return trace(request, encoding.version);
}

template <class Req, class Resp>
std::string Call<Req, Resp>::trace_response() const {
  return trace(response, encoding.version);
}

template <class Req, class Resp>
void Call<Req, Resp>::run(Gateway& gateway, std::shared_ptr<ExchangeSink> to) {
  sink = to.get();
  // The last copy tells the connection; the connection owns the exchange.
  CallPtr<Req, Resp> shared(this, [to = std::move(to)](Call* call) { to->finished(*call); });
  handle(gateway, std::move(shared));
}

namespace {

struct Entry {
  Versions valid;
  std::unique_ptr<Exchange> (*make)(const RequestHeader&);
};

template <class A>
std::unique_ptr<Exchange> make(const RequestHeader& header) {
  auto call = std::make_unique<Call<typename A::Request, typename A::Response>>();
  call->header = header;
  call->encoding = encoding_of<typename A::Request>(header.api_version);
  return call;
}

const std::unordered_map<int16_t, Entry>& entries() {
  static const std::unordered_map<int16_t, Entry> all = [] {
    std::unordered_map<int16_t, Entry> made;
    Apis::for_each([&]<class A>(A) { made[A::key] = {A::valid, make<A>}; });
    return made;
  }();
  return all;
}

/// ApiVersions in a version that is not served: answered in version 0 with what is (KIP-511). The
/// request's body is of an unknown layout and is not read.
class UnknownApiVersions final : public Exchange {
 public:
  explicit UnknownApiVersions(const RequestHeader& from) { header = from; }
  bool decode_request(Reader&) override { return true; }
  void run(Gateway&, std::shared_ptr<ExchangeSink> to) override { to->finished(*this); }
  void encode_response(Writer& w) override {
    begin_response(w, header, false);
    encode(w, response(), encoding_of<ApiVersionsResponse>(0));
    end_response(w);
  }
  std::string trace_request() const override { return "{}"; }
  std::string trace_response() const override { return trace(response(), 0); }

 private:
  static ApiVersionsResponse response() {
    ApiVersionsResponse r;
    r.error_code = code_of(ErrorCode::kUnsupportedVersion);
    constexpr Versions known = ApiVersionsRequest::valid;
    r.api_keys.push_back({ApiVersionsRequest::key, known.first, known.last});
    return r;
  }
};

}  // namespace

const char* why_not_served(int16_t api_key, int16_t version) {
  auto found = entries().find(api_key);
  if (found == entries().end()) return "an API that is not served";
  if (api_key == kApiVersionsKey || found->second.valid.contains(version)) return nullptr;
  return "a version that is not served";
}

std::unique_ptr<Exchange> new_exchange(const RequestHeader& header) {
  auto found = entries().find(header.api_key);
  MUST(found != entries().end());
  if (!found->second.valid.contains(header.api_version)) {
    MUST(header.api_key == kApiVersionsKey);
    return std::make_unique<UnknownApiVersions>(header);
  }
  return found->second.make(header);
}

}  // namespace topicfs::kafka
