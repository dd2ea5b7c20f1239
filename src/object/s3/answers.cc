#include "object/s3/answers.h"

#include <charconv>

#include "object/s3/xml.h"

namespace topicfs::s3 {
namespace {

Errc code_of(int status, const std::string& code) {
  if (code == "NoSuchBucket") return Errc::kInvalidArgument;
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "InvalidAccessKeyId") return Errc::kDenied;
  if (code == "RequestTimeout" || code == "SlowDown" || code == "OperationAborted") return Errc::kUnavailable;
  if (code == "QuotaExceeded" || code == "XMinioStorageFull") return Errc::kNoSpace;
  if (code == "NotImplemented") return Errc::kUnsupported;
  switch (status) {  // an open set
    case 401:
    case 403: return Errc::kDenied;
    case 404: return Errc::kNotFound;
    case 409:
    case 412: return Errc::kExists;
    case 416: return Errc::kCorrupt;
    case 501: return Errc::kUnsupported;
    case 507: return Errc::kNoSpace;
    case 408:
    case 429: return Errc::kUnavailable;
    default: return status >= 500 || status < 300 ? Errc::kUnavailable : Errc::kInvalidArgument;
  }
}

/// What to do about it, where we know.
std::string advice(int status, const ErrorDocument& document, const HttpResponse& response) {
  std::string region = document.region.empty() ? response.bucket_region : document.region;
  if (status == 301 || status == 307 || status == 308 || document.code == "AuthorizationHeaderMalformed") {
    if (region.empty()) return "; check --s3-endpoint and --s3-region";
    return "; the bucket is in region " + region + ": set --s3-region";
  }
  if (document.code == "NoSuchBucket") return "; create the bucket first";
  if (document.code == "RequestTimeTooSkewed") return "; set this machine's clock";
  if (status == 401 || status == 403) return "; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the bucket's policy";
  return "";
}

}  // namespace

Error error_of(const HttpResponse& response, const std::string& doing) {
  ErrorDocument document = parse_error_document(response.body);
  std::string what = doing + ": HTTP status " + std::to_string(response.status);
  if (!document.code.empty()) what += " " + document.code;
  if (!document.message.empty()) what += " (" + document.message + ")";
  if (!response.request_id.empty()) what += ", request " + response.request_id;
  what += advice(response.status, document, response);
  return {code_of(response.status, document.code), 0, std::move(what)};
}

std::optional<ContentRange> parse_content_range(std::string_view header) {
  if (!header.starts_with("bytes ")) return std::nullopt;
  const char *at = header.data() + 6, *end = header.data() + header.size();
  ContentRange range;
  auto number = [&](uint64_t& to, char behind) {
    auto [next, error] = std::from_chars(at, end, to);
    if (error != std::errc() || (behind ? next == end || *next != behind : next != end)) return false;
    at = behind ? next + 1 : next;
    return true;
  };
  if (!number(range.first, '-') || !number(range.last, '/') || !number(range.total, 0)) return std::nullopt;
  if (range.last < range.first || range.last >= range.total) return std::nullopt;
  return range;
}

Result<ObjectBytes> bytes_of_range(HttpResponse response, ObjectRange range, const std::string& doing) {
  auto shorter = [&](uint64_t size) {
    return fail(Errc::kCorrupt, doing + ": the object has only " + std::to_string(size) + " bytes, not " +
                                    std::to_string(range.size) + " at " + std::to_string(range.offset));
  };
  if (response.status == 200) {  // the range was ignored; fine if it was all of the object
    if (response.cut || range.offset != 0)
      return fail(Errc::kUnsupported, doing + ": the server ignores ranges");
    uint64_t whole = response.body.size();
    if (whole < range.size) return shorter(whole);
    response.body.resize(range.size);
    return ObjectBytes{std::move(response.body), whole};
  }
  if (response.status != 206) return tl::unexpected<Error>(error_of(response, doing));
  auto got = parse_content_range(response.content_range);
  if (!got || got->first != range.offset || got->last - got->first >= range.size)
    return fail(Errc::kUnavailable, doing + ": the server sent range \"" + response.content_range + "\"");
  if (got->last - got->first + 1 < range.size) return shorter(got->total);
  if (response.cut || response.body.size() != range.size)
    return fail(Errc::kUnavailable, doing + ": the server sent another number of bytes than it said");
  return ObjectBytes{std::move(response.body), got->total};
}

Result<ObjectBytes> bytes_of_tail(HttpResponse response, uint64_t max_bytes, const std::string& doing) {
  if (response.status == 416) return ObjectBytes{};  // no range fits an empty object (RFC 9110, 14.1.2)
  if (response.status == 200) {
    if (response.cut) return fail(Errc::kUnsupported, doing + ": the server ignores ranges");
    uint64_t size = response.body.size();
    return ObjectBytes{std::move(response.body), size};
  }
  if (response.status != 206) return tl::unexpected<Error>(error_of(response, doing));
  auto got = parse_content_range(response.content_range);
  if (!got || got->last + 1 != got->total || got->total - got->first != std::min(max_bytes, got->total))
    return fail(Errc::kUnavailable, doing + ": the server sent range \"" + response.content_range + "\"");
  if (response.cut || response.body.size() != got->total - got->first)
    return fail(Errc::kUnavailable, doing + ": the server sent another number of bytes than it said");
  return ObjectBytes{std::move(response.body), got->total};
}

}  // namespace topicfs::s3
