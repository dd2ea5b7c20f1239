#include <doctest/doctest.h>

#include "object/s3/answers.h"
#include "object/s3/sigv4.h"
#include "object/s3/uri.h"
#include "object/s3/xml.h"

using namespace topicfs;
using namespace topicfs::s3;

namespace {

// The examples of docs.aws.amazon.com, "Authenticating Requests: Using the Authorization Header".
const Credentials kExample{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
const std::string kDate = "20130524T000000Z";

std::string signature_of(RequestToSign request, Credentials credentials = kExample, SigningScope scope = {"us-east-1", "s3"},
                         std::string date = kDate) {
  request.headers.emplace_back("x-amz-date", date);
  if (scope.service == "s3") {
    request.headers.emplace_back("host", "examplebucket.s3.amazonaws.com");
    request.headers.emplace_back("x-amz-content-sha256", request.payload_hash);
  }
  std::string value = authorization(request, date, credentials, scope);
  return value.substr(value.rfind('=') + 1);
}

HttpResponse response(int status, std::string_view body, std::string content_range = "") {
  HttpResponse r;
  r.status = status;
  ByteSpan bytes = as_byte_span(body);
  r.body.assign(bytes.begin(), bytes.end());
  r.content_range = std::move(content_range);
  return r;
}

Errc code_of_tail(HttpResponse r, uint64_t max) {
  auto outcome = bytes_of_tail(std::move(r), max, "get k");
  return outcome ? Errc::kWouldBlock : outcome.error().code;
}
Errc code_of_range(HttpResponse r, ObjectRange range) {
  auto outcome = bytes_of_range(std::move(r), range, "get k");
  return outcome ? Errc::kWouldBlock : outcome.error().code;
}

}  // namespace

TEST_CASE("signatures are those of Amazon's published examples") {
  std::string nothing = sha256_hex(std::string_view());
  CHECK(nothing == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(signature_of({"GET", "/test.txt", "", {{"range", "bytes=0-9"}}, nothing}) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  CHECK(signature_of({"PUT", "/" + percent_encode("test$file.text", Slash::keep), "",
                      {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                      sha256_hex("Welcome to Amazon S3.")}) ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  CHECK(signature_of({"GET", "/", encode_query({{"lifecycle", ""}}), {}, nothing}) ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(signature_of({"GET", "/", encode_query({{"prefix", "J"}, {"max-keys", "2"}}), {}, nothing}) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("signatures are those of Amazon's test suite for other services") {
  // aws-sig-v4-test-suite: get-vanilla.
  CHECK(signature_of({"GET", "/", "", {{"host", "example.amazonaws.com"}}, sha256_hex(std::string_view())},
                     {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""}, {"us-east-1", "service"},
                     "20150830T123600Z") == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST_CASE("the hash of a payload is that of its pieces in order") {
  ByteSpan pieces[] = {as_byte_span("Welcome to "), {}, as_byte_span("Amazon S3.")};
  CHECK(sha256_hex(pieces) == sha256_hex("Welcome to Amazon S3."));
  CHECK(amz_date(WallMilliseconds(1369353600'999)) == "20130524T000000Z");
}

TEST_CASE("percent-encoding keeps what SigV4 keeps and encodes the rest") {
  CHECK(percent_encode("a-Z.0_9~/b", Slash::keep) == "a-Z.0_9~/b");
  CHECK(percent_encode("a/b c+d=\xc3\xa4", Slash::encode) == "a%2Fb%20c%2Bd%3D%C3%A4");
  CHECK(encode_query({{"b", "2 3"}, {"a", ""}}) == "a=&b=2%203");
  CHECK(percent_decode("a%2Fb+c%c3%A4") == "a/b c\xc3\xa4");
  for (auto bad : {"%", "%1", "%zz", "a%2"}) CHECK_FALSE(percent_decode(bad));
}

TEST_CASE("an endpoint is a scheme, a host and a port") {
  CHECK(parse_endpoint("http://127.0.0.1:9000/")->host == "127.0.0.1:9000");
  CHECK_FALSE(parse_endpoint("http://127.0.0.1:9000")->tls);
  CHECK(parse_endpoint("https://s3.example:443")->host == "s3.example");
  CHECK(parse_endpoint("http://s3.example:443")->host == "s3.example:443");
  for (auto bad : {"", "s3.example", "ftp://x", "https://", "https://user@host", "https://host/path", "http://a b"}) {
    auto r = parse_endpoint(bad);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == Errc::kInvalidArgument);
  }
}

TEST_CASE("a page of a listing gives keys and sizes, decoded if the server says they are encoded") {
  auto page = parse_list_page(as_byte_span(
      "<?xml version='1.0'?><ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>"
      "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>"
      "<Contents><Key>a%2Fb</Key><Size>12</Size></Contents><Contents><Key>c</Key><Size>0</Size></Contents>"
      "</ListBucketResult>"));
  REQUIRE(page);
  REQUIRE(page->objects.size() == 2);
  CHECK(page->objects[0].key == "a/b");
  CHECK(page->objects[0].size == 12);
  CHECK(page->truncated);
  CHECK(page->next_token == "t&1");
}

TEST_CASE("a listing that may be incomplete is refused") {
  auto refused = [](const std::string& inside) {
    return !parse_list_page(as_byte_span("<ListBucketResult>" + inside + "</ListBucketResult>"));
  };
  CHECK_FALSE(refused("<IsTruncated>false</IsTruncated>"));
  CHECK(refused("<IsTruncated>true</IsTruncated>"));
  CHECK(refused(""));
  CHECK(refused("<IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents>"));
  CHECK(refused("<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-1</Size></Contents>"));
  CHECK(refused("<IsTruncated>false</IsTruncated><Contents><Size>1</Size></Contents>"));
  CHECK_FALSE(parse_list_page(as_byte_span("")));
  CHECK_FALSE(parse_list_page(as_byte_span("<html>hello</html>")));
  CHECK_FALSE(parse_list_page(as_byte_span("<ListBucketResult><IsTruncated>false</IsTruncated>")));
}

TEST_CASE("answers of a server become errors that say what to do") {
  auto error = [](int status, std::string_view code, std::string_view message = "") {
    std::string xml = "<Error><Code>" + std::string(code) + "</Code><Message>" + std::string(message) + "</Message></Error>";
    return error_of(response(status, xml), "put s3://b/k");
  };
  CHECK(error(404, "NoSuchKey").code == Errc::kNotFound);
  CHECK(error(404, "NoSuchBucket").code == Errc::kInvalidArgument);
  CHECK(error(403, "SignatureDoesNotMatch").code == Errc::kDenied);
  CHECK(error(400, "ExpiredToken").code == Errc::kDenied);
  CHECK(error(412, "PreconditionFailed").code == Errc::kExists);
  CHECK(error(409, "ConditionalRequestConflict").code == Errc::kExists);
  CHECK(error(409, "OperationAborted").code == Errc::kUnavailable);
  CHECK(error(501, "NotImplemented").code == Errc::kUnsupported);
  CHECK(error(400, "NotImplemented").code == Errc::kUnsupported);
  for (int status : {408, 429, 500, 502, 503, 504, 599}) CHECK(error(status, "").code == Errc::kUnavailable);
  CHECK(error(507, "XMinioStorageFull").code == Errc::kNoSpace);
  CHECK(error(301, "PermanentRedirect").code == Errc::kInvalidArgument);
  CHECK(error(400, "Other").code == Errc::kInvalidArgument);
  auto e = error(403, "AccessDenied", "go\naway");
  CHECK(e.what.find("put s3://b/k: HTTP status 403 AccessDenied (go away)") == 0);
  CHECK(e.what.find("AWS_ACCESS_KEY_ID") != std::string::npos);
  auto redirect = response(301, "");
  redirect.bucket_region = "eu-west-1";
  CHECK(error_of(redirect, "x").what.find("eu-west-1: set --s3-region") != std::string::npos);
}

TEST_CASE("a ranged answer counts only if it is exactly the range that was asked for") {
  ObjectRange range{10, 5};
  CHECK(code_of_range(response(206, "01234", "bytes 10-14/100"), range) == Errc::kWouldBlock);
  CHECK(code_of_range(response(206, "0123", "bytes 10-13/14"), range) == Errc::kCorrupt);  // a shorter object
  CHECK(code_of_range(response(416, ""), range) == Errc::kCorrupt);
  CHECK(code_of_range(response(206, "01234", "bytes 11-15/100"), range) == Errc::kUnavailable);
  CHECK(code_of_range(response(206, "0123", "bytes 10-14/100"), range) == Errc::kUnavailable);
  CHECK(code_of_range(response(206, "01234", ""), range) == Errc::kUnavailable);
  CHECK(code_of_range(response(206, "012345", "bytes 10-15/100"), range) == Errc::kUnavailable);
  CHECK(code_of_range(response(200, "01234"), range) == Errc::kUnsupported);
  CHECK(code_of_range(response(200, "01234"), {0, 5}) == Errc::kWouldBlock);
  CHECK(code_of_range(response(200, "0123"), {0, 5}) == Errc::kCorrupt);
  CHECK(code_of_range(response(404, ""), range) == Errc::kNotFound);
}

TEST_CASE("the tail's answer is its end, all of a small object, or nothing of an empty one") {
  auto tail = bytes_of_tail(response(206, "01234", "bytes 95-99/100"), 5, "get k");
  REQUIRE(tail);
  CHECK(tail->object_size == 100);
  auto small = bytes_of_tail(response(206, "012", "bytes 0-2/3"), 5, "get k");
  REQUIRE(small);
  CHECK(small->object_size == 3);
  auto empty = bytes_of_tail(response(416, "<Error/>"), 5, "get k");
  REQUIRE(empty);
  CHECK(empty->bytes.empty());
  CHECK(bytes_of_tail(response(200, "0123"), 5, "get k")->object_size == 4);
  auto large = response(200, "01234");
  large.cut = true;
  CHECK(code_of_tail(large, 5) == Errc::kUnsupported);
  CHECK(code_of_tail(response(206, "01234", "bytes 94-98/100"), 5) == Errc::kUnavailable);
  CHECK(code_of_tail(response(206, "0123", "bytes 96-99/100"), 5) == Errc::kUnavailable);
}

TEST_CASE("Content-Range is parsed strictly") {
  CHECK(parse_content_range("bytes 0-9/10"));
  for (auto bad : {"", "bytes", "bytes 0-9", "bytes 0-9/*", "bytes */10", "bytes 5-4/10", "bytes 0-10/10", "bytes 0-9/10x",
                   "bytes -1-9/10", "bytes 0-9/99999999999999999999"}) {
    INFO(bad);
    CHECK_FALSE(parse_content_range(bad));
  }
}
