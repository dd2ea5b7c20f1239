// What an S3 server's answers mean: errors by status and code, and the ranges of 206.
#pragma once

#include <optional>
#include <string>

#include <topicfs/result.h>

#include "object/object_store.h"
#include "object/s3/http_worker.h"

namespace topicfs::s3 {

/// The error of an answer that is none of the expected ones. `doing` begins the message: "put s3://b/k".
Error error_of(const HttpResponse& response, const std::string& doing);

struct ContentRange {
  uint64_t first = 0, last = 0, total = 0;
};
/// "bytes 0-9/100"; nullopt for anything else.
std::optional<ContentRange> parse_content_range(std::string_view header);

/// The bytes of a GET with "Range: bytes=first-last". kCorrupt: the object is shorter. kUnsupported:
/// the server does not serve ranges.
Result<ObjectBytes> bytes_of_range(HttpResponse response, ObjectRange range, const std::string& doing);
/// The bytes of a GET with "Range: bytes=-max_bytes".
Result<ObjectBytes> bytes_of_tail(HttpResponse response, uint64_t max_bytes, const std::string& doing);

}  // namespace topicfs::s3
