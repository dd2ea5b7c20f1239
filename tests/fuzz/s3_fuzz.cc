// What a broken or hostile S3 server answers: listings, errors, ranges; and the encoding of keys.
//   input := kind: 1 byte, text
#include <string>

#include "base/check.h"
#include "object/s3/answers.h"
#include "object/s3/uri.h"
#include "object/s3/xml.h"

using namespace topicfs;
using namespace topicfs::s3;

namespace {

void try_listing(ByteSpan body) {
  auto page = parse_list_page(body);
  if (!page) {
    MUST(page.error().code == Errc::kUnavailable);
    return;
  }
  MUST(!page->truncated || !page->next_token.empty());
  for (const ListedObject& object : page->objects) MUST(!object.key.empty());
}

void try_error(ByteSpan body, int status) {
  HttpResponse response;
  response.status = status;
  response.body.assign(body.begin(), body.end());
  const std::string message = error_of(response, "get s3://b/k").message();
  for (char c : message) MUST(static_cast<uint8_t>(c) >= 0x20 && c != 0x7f);  // it goes to a log
}

/// The first 8 bytes are the body's, the rest is the header.
void try_range(std::string_view text) {
  const std::string_view body = text.substr(0, 8), header = text.substr(body.size());
  auto range = parse_content_range(header);
  if (range) MUST(range->first <= range->last && range->last < range->total);
  for (int status : {200, 206, 416}) {
    HttpResponse response;
    response.status = status, response.content_range = header;
    for (char c : body) response.body.push_back(static_cast<std::byte>(c));
    if (auto got = bytes_of_range(response, {range ? range->first : 0, 5}, "get")) MUST(got->bytes.size() == 5);
    if (auto got = bytes_of_tail(response, 6, "get")) MUST(got->bytes.size() <= got->object_size);
  }
}

void try_encoding(std::string_view text) {
  MUST(percent_decode(percent_encode(text, Slash::encode)) == text);
  if (auto decoded = percent_decode(text)) MUST(percent_decode(percent_encode(*decoded, Slash::keep)) == decoded);
  if (auto endpoint = parse_endpoint(text))
    MUST(parse_endpoint(endpoint->scheme() + "://" + endpoint->host).has_value() || endpoint->host.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int kStatuses[] = {200, 301, 403, 404, 412, 500, 503};
  if (size == 0) return 0;
  const ByteSpan bytes{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  switch (data[0] % 4) {
    case 0: try_listing(bytes); break;
    case 1: try_error(bytes, kStatuses[data[0] / 4 % std::size(kStatuses)]); break;
    case 2: try_range(as_text(bytes)); break;
    case 3: try_encoding(as_text(bytes)); break;
  }
  return 0;
}
