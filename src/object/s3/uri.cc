#include "object/s3/uri.h"

#include <algorithm>

namespace topicfs::s3 {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string percent_encode(std::string_view text, Slash slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (char c : text) {
    if (is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && slash == Slash::keep)) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += kDigits[static_cast<uint8_t>(c) >> 4];
      encoded += kDigits[static_cast<uint8_t>(c) & 15];
    }
  }
  return encoded;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '+') {
      decoded += ' ';  // S3's encoding-type=url writes spaces so
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      if (text.size() - i < 3) return std::nullopt;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return decoded;
}

std::string encode_query(Query query) {
  for (auto& [name, value] : query) {
    name = percent_encode(name, Slash::encode);
    value = percent_encode(value, Slash::encode);
  }
  std::sort(query.begin(), query.end());
  std::string encoded;
  for (const auto& [name, value] : query) {
    if (!encoded.empty()) encoded += '&';
    encoded += name;
    encoded += '=';
    encoded += value;
  }
  return encoded;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  auto refuse = [&](const char* why) {
    return fail(Errc::kInvalidArgument, "--s3-endpoint " + std::string(text) + " " + why +
                                            "; write http://HOST[:PORT] or https://HOST[:PORT]");
  };
  Endpoint endpoint;
  std::string_view rest = text;
  if (rest.starts_with("https://")) rest.remove_prefix(8);
  else if (rest.starts_with("http://")) rest.remove_prefix(7), endpoint.tls = false;
  else return refuse("has no scheme");
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty()) return refuse("has no host");
  for (char c : rest) {
    if (!is_alphanumeric(c) && std::string_view("-._:[]").find(c) == std::string_view::npos)
      return refuse("has more than a host and a port");
  }
  // The scheme's own port is not part of the Host header, and so not of what is signed.
  std::string_view own_port = endpoint.tls ? ":443" : ":80";
  if (rest.ends_with(own_port)) rest.remove_suffix(own_port.size());
  endpoint.host = rest;
  return endpoint;
}

}  // namespace topicfs::s3
