// AWS Signature Version 4, of headers: what a request must carry so that S3 knows who sent it.
// Pure functions. docs.aws.amazon.com: "Signature Calculations for the Authorization Header".
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include <topicfs/types.h>

#include "object/s3/uri.h"

namespace topicfs::s3 {

struct Credentials {
  std::string access_key_id, secret_access_key;
  std::string session_token;  ///< "": none
};

/// Of the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. kDenied if they are not set.
Result<Credentials> credentials_from_environment();

using Headers = std::vector<std::pair<std::string, std::string>>;  ///< names in lower case

struct RequestToSign {
  std::string method;
  std::string path;   ///< percent-encoded, from the first slash
  std::string query;  ///< encode_query()
  Headers headers;    ///< all that are to be signed, with host and x-amz-date
  std::string payload_hash;  ///< hexadecimal SHA-256, or kUnsignedPayload
};
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct SigningScope {
  std::string region;
  std::string service = "s3";
};

/// "20130524T000000Z"
std::string amz_date(WallMilliseconds time);
std::string sha256_hex(std::span<const ByteSpan> pieces);
std::string sha256_hex(std::string_view text);

std::string canonical_request(const RequestToSign& request);
/// The value of the Authorization header. `date` is the request's x-amz-date.
std::string authorization(const RequestToSign& request, const std::string& date, const Credentials& credentials,
                          const SigningScope& scope);

}  // namespace topicfs::s3
