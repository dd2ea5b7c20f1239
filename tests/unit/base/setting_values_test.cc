#include "base/setting_values.h"

#include <doctest/doctest.h>

using namespace topicfs;
using namespace std::chrono_literals;

TEST_CASE("sizes read with and without suffixes, and other text is refused") {
  CHECK(*parse_bytes("4096") == 4096);
  CHECK(*parse_bytes("64MiB") == 64u << 20);
  CHECK(*parse_bytes("1K") == 1024);
  CHECK(*parse_bytes("2GiB") == 2ull << 30);
  CHECK(*parse_bytes("0") == 0);
  for (auto bad : {"", "MiB", "-1", "1.5GiB", "64 MiB", "64mib", "1MiBx", "99999999999999999999",
                   "9223372036854775807KiB"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_bytes(bad));
  }
}

TEST_CASE("times need a unit, and other text is refused") {
  CHECK(*parse_duration("2ms") == 2ms);
  CHECK(*parse_duration("500us") == 500us);
  CHECK(*parse_duration("90s") == 90s);
  CHECK(*parse_duration("1d") == 24h);
  CHECK(*parse_duration("0") == 0s);
  for (auto bad : {"", "5", "s", "-5s", "5 s", "5sec", "9223372036854775807d"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad));
  }
}

TEST_CASE("sizes and times print in the form that reads back") {
  for (uint64_t bytes : {0ull, 1ull, 1000ull, 1024ull, 3ull << 20, 5ull << 30, (1ull << 40) + 1}) {
    CHECK(*parse_bytes(format_bytes(bytes)) == bytes);
  }
  for (auto time : {0us, 1us, 2000us, 5000000us, 60000000us, 90000000us}) {
    CHECK(*parse_duration(format_duration(time)) == time);
  }
  CHECK(format_bytes(64u << 20) == "64MiB");
  CHECK(format_duration(2ms) == "2ms");
}

TEST_CASE("an address has a host and a port, IPv6 in brackets") {
  CHECK(*parse_address("127.0.0.1:9092") == Address{"127.0.0.1", 9092});
  CHECK(*parse_address("[::1]:1") == Address{"::1", 1});
  CHECK(*parse_address("kafka.example:65535") == Address{"kafka.example", 65535});
  CHECK(to_string(*parse_address("[::1]:9092")) == "[::1]:9092");
  for (auto bad : {"", "9092", ":9092", "host", "host:", "host:0", "host:65536", "host:x", "::1:9092",
                   "[::1]", "a b:1", "[kafka.example]:1", "[a]:b]:1", "[::1]]:1", "a\001b:1", "\xc3\xa4:1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_address(bad));
  }
}

TEST_CASE("a store is a directory or a bucket, in one spelling") {
  CHECK(*parse_store_url("file:/var/x/") == "file:/var/x");
  CHECK(*parse_store_url("file:///var/../x") == "file:/x");
  CHECK(parse_store_url("file:relative")->starts_with("file:/"));
  CHECK(*parse_store_url("s3://bucket/a/b/") == "s3://bucket/a/b");
  CHECK(*parse_store_url("s3://bucket") == "s3://bucket");
  for (auto bad : {"", "/var/x", "file:", "s3://", "s3:bucket", "s3://a", "s3://b u/x", "http://x/y"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_store_url(bad));
  }
}
