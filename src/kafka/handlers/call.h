// Call's codecs, and how one is made. Only for the files of handlers, which instantiate new_call for their own API.
#pragma once

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
  if constexpr (requires { response.throttle_time_ms; })
    response.throttle_time_ms = static_cast<int32_t>(throttle.load().count());
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

template <class Req, class Resp>
std::unique_ptr<Exchange> new_call(const RequestHeader& header) {
  auto call = std::make_unique<Call<Req, Resp>>();
  call->header = header;
  call->encoding = encoding_of<Req>(header.api_version);
  return call;
}

}  // namespace topicfs::kafka
