#include "object/s3/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "base/check.h"

namespace topicfs::s3 {
namespace {

using Digest = std::array<uint8_t, 32>;

std::string to_hex(const Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : digest) text += kDigits[byte >> 4], text += kDigits[byte & 15];
  return text;
}

Digest hmac(std::string_view key, std::string_view text) {
  Digest digest;
  unsigned size = 0;
  MUST(::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
              reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size));
  MUST(size == digest.size());
  return digest;
}

std::string_view view(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

Headers sorted(Headers headers) {
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string signed_names(const Headers& headers) {
  std::string names;
  for (const auto& [name, value] : headers) names += (names.empty() ? "" : ";") + name;
  return names;
}

}  // namespace

Result<Credentials> credentials_from_environment() {
  auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  Credentials c{variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), variable("AWS_SESSION_TOKEN")};
  if (c.access_key_id.empty() || c.secret_access_key.empty())
    return fail(Errc::kDenied, "no credentials for the object store; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  return c;
}

std::string amz_date(WallMilliseconds time) {
  std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  std::tm utc{};
  MUST(::gmtime_r(&seconds, &utc));
  char text[32];
  MUST(std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc) == 16);
  return text;
}

std::string sha256_hex(std::span<const ByteSpan> pieces) {
  std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free);
  MUST(context && ::EVP_DigestInit_ex(context.get(), ::EVP_sha256(), nullptr));
  for (ByteSpan piece : pieces) MUST(::EVP_DigestUpdate(context.get(), piece.data(), piece.size()));
  Digest digest;
  MUST(::EVP_DigestFinal_ex(context.get(), digest.data(), nullptr));
  return to_hex(digest);
}

std::string sha256_hex(std::string_view text) {
  ByteSpan piece = as_byte_span(text);
  return sha256_hex({&piece, 1});
}

std::string canonical_request(const RequestToSign& request) {
  Headers headers = sorted(request.headers);
  std::string text = request.method + "\n" + request.path + "\n" + request.query + "\n";
  for (const auto& [name, value] : headers) text += name + ":" + value + "\n";
  return text + "\n" + signed_names(headers) + "\n" + request.payload_hash;
}

std::string authorization(const RequestToSign& request, const std::string& date, const Credentials& credentials,
                          const SigningScope& scope) {
  std::string day = date.substr(0, 8);
  std::string where = day + "/" + scope.region + "/" + scope.service + "/aws4_request";
  std::string to_sign = "AWS4-HMAC-SHA256\n" + date + "\n" + where + "\n" + sha256_hex(canonical_request(request));
  Digest key = hmac("AWS4" + credentials.secret_access_key, day);
  key = hmac(view(key), scope.region);
  key = hmac(view(key), scope.service);
  key = hmac(view(key), "aws4_request");
  return "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + where +
         ",SignedHeaders=" + signed_names(sorted(request.headers)) + ",Signature=" + to_hex(hmac(view(key), to_sign));
}

}  // namespace topicfs::s3
