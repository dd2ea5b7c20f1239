// Percent-encoding as SigV4 wants it, and the address of an S3 server.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <topicfs/result.h>

namespace topicfs::s3 {

enum class Slash { keep, encode };
/// All but A-Z a-z 0-9 - . _ ~ becomes %XX.
std::string percent_encode(std::string_view text, Slash slash);
/// nullopt if it is malformed.
std::optional<std::string> percent_decode(std::string_view text);

using Query = std::vector<std::pair<std::string, std::string>>;
/// Encoded, ascending by name: the form that is signed, and sent.
std::string encode_query(Query query);

struct Endpoint {
  bool tls = true;
  std::string host;  ///< with ":port" unless it is the scheme's own: as the Host header has it
  std::string scheme() const { return tls ? "https" : "http"; }
};
/// "http://host[:port]" or "https://host[:port]". kInvalidArgument.
Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace topicfs::s3
