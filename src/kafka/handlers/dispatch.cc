#include "kafka/handlers/dispatch.h"

#include <unordered_map>

#include "base/check.h"
#include "kafka/messages/registry.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/error_code.h"
#include "kafka/wire/trace.h"

namespace topicfs::kafka {

namespace {

struct Entry {
  Versions valid;
  std::unique_ptr<Exchange> (*make)(const RequestHeader&);
};

const std::unordered_map<int16_t, Entry>& entries() {
  static const std::unordered_map<int16_t, Entry> all = [] {
    std::unordered_map<int16_t, Entry> made;
    Apis::for_each([&]<class A>(A) { made[A::key] = {A::valid, new_call<typename A::Request, typename A::Response>}; });
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
