// The primitives and the rules of the schema idiom.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <optional>

#include "kafka/messages/metadata.h"
#include "kafka/wire/decode.h"
#include "kafka/wire/encode.h"
#include "kafka/wire/header.h"

using namespace topicfs;
using namespace topicfs::kafka;

namespace {

struct Inner {
  int32_t number = 0;
  static constexpr auto fields() { return std::tuple{field("Number", &Inner::number, {0})}; }
};

/// One field for each rule.
struct Sample {
  [[maybe_unused]] static constexpr Versions valid{0, 3}, flexible{2};
  std::string text;
  std::optional<std::string> name = std::string();
  int32_t late = 7;
  int32_t hint = -1;
  std::optional<Inner> inner;
  int64_t extra = -1;
  std::vector<Inner> list;
  static constexpr auto fields() {
    using M = Sample;
    return std::tuple{field("Text", &M::text, {0}),
                      field("Name", &M::name, {0}).nullable_in({1}),
                      field("Late", &M::late, {1}),
                      field("Hint", &M::hint, {1}).ignorable(),
                      field("Inner", &M::inner, {3}),
                      field("Extra", &M::extra, {2}).tagged_as(5, {2}),
                      field("List", &M::list, {0})};
  }
};

Writer encoded(const Sample& s, int16_t version) {
  Writer w;
  encode(w, s, encoding_of<Sample>(version));
  return w;
}

Sample decoded(std::string_view bytes, int16_t version, std::string_view fault = {}) {
  Sample s;
  Reader r(as_byte_span(bytes));
  decode(r, s, encoding_of<Sample>(version));
  CHECK(r.fault() == fault);
  return s;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (char c : bytes) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return out;
}

}  // namespace

TEST_CASE("classic and flexible versions are laid out as Kafka's") {
  Sample s;
  s.text = "ab";
  s.list.resize(1);
  s.list[0].number = 258;
  CHECK(hex(encoded(s, 0).flat()) == "00026162" "0000" "00000001" "00000102");
  CHECK(hex(encoded(s, 1).flat()) == "00026162" "0000" "00000007" "ffffffff" "00000001" "00000102");
  CHECK(hex(encoded(s, 2).flat()) == "036162" "01" "00000007" "ffffffff" "02" "0000010200" "00");
  s.extra = 1;
  s.inner.emplace().number = 3;
  CHECK(hex(encoded(s, 3).flat()) ==
        "036162" "01" "00000007" "ffffffff" "01" "0000000300" "02" "0000010200" "01" "05" "08" "0000000000000001");
}

TEST_CASE("a value that the version lacks is an error, unless it is ignorable or the default") {
  Sample s;
  s.late = 8;
  CHECK(encoded(s, 0).fault() == "Late: has a value that this version cannot carry");
  CHECK(encoded(s, 1).ok());
  s.late = 7, s.hint = 99;
  CHECK(encoded(s, 0).ok());
}

TEST_CASE("null is refused in versions where a field is not nullable, both ways") {
  Sample s;
  s.name.reset();
  CHECK(encoded(s, 0).fault() == "Name: is null in a version where it must not be");
  CHECK(encoded(s, 1).ok());
  decoded(std::string("\0\0\xff\xff\0\0\0\0", 8), 0, "null where it must not be");
  CHECK_FALSE(decoded(encoded(s, 1).flat(), 1).name.has_value());
}

TEST_CASE("unknown tagged fields are skipped, known ones must fill their size") {
  std::string head("\x01\x01\0\0\0\7\xff\xff\xff\xff\x01", 11);
  CHECK(decoded(head + std::string("\x02\x05\x08\0\0\0\0\0\0\0\x09\x63\x02zz", 15), 2).extra == 9);
  decoded(head + std::string("\x01\x05\x09\0\0\0\0\0\0\0\x09z", 12), 2, "a tagged field longer than its value");
  decoded(head + std::string("\x01\x05\x09\0\0", 5), 2, "a length beyond the end");
}

TEST_CASE("an array's count is bounded by what remains before memory is taken") {
  decoded(std::string("\0\0\0\0\x7f\xff\xff\xff", 8), 0, "more elements than bytes");
  decoded(std::string("\x01\x01\0\0\0\7\xff\xff\xff\xff\xff\xff\xff\xff\x07\0", 16), 2, "more elements than bytes");
  decoded(std::string("\0\0\0\0\xff\xff\xff\xf0", 8), 0, "null where it must not be");
}

TEST_CASE("a message of too many elements is refused") {
  Sample s;
  s.list.resize(Reader::kMaxElements + 1);
  decoded(encoded(s, 0).flat(), 0, "too many elements in one message");
}

TEST_CASE("a varint beyond 32 bits is refused") {
  std::string long_one(10, '\xff');
  Reader r(as_byte_span(long_one));
  CHECK(r.uvarint() == 0);
  CHECK_FALSE(r.ok());
  Reader max(as_byte_span("\xff\xff\xff\xff\x0f"));
  CHECK(max.uvarint() == 0xffffffff);
}

TEST_CASE("the first fault of a reader stays, and reads after it give nothing") {
  Reader r(as_byte_span("ab"));
  r.int32();
  r.fail("later");
  CHECK(r.fault() == "cut off in a number");
  CHECK(r.int8() == 0);
  CHECK(r.take(1).empty());
}

TEST_CASE("referred bytes stand where they were written, nested writers included") {
  std::string big = "BATCHES";
  Bytes bytes{{as_byte_span(big).first(3), as_byte_span(big).subspan(3)}, 7, nullptr};
  Writer inner, w;
  inner.int8('(');
  inner.refer(bytes);
  inner.int8(')');
  w.int8('<');
  w.append(std::move(inner));
  w.int8('>');
  CHECK(w.size() == 11);
  CHECK(w.flat() == "<(BATCHES)>");
}

TEST_CASE("the client id of a flexible request keeps its classic length") {
  std::string bytes("\0\3\0\x09\0\0\0\7\0\2me\1\x2a\2zz!", 18);
  Reader r(as_byte_span(bytes));
  RequestHeader h = read_header(r);
  read_header_tags(r);
  REQUIRE(r.ok());
  CHECK(h.api_key == 3);
  CHECK(h.api_version == 9);
  CHECK(h.correlation_id == 7);
  CHECK(h.client_id == "me");
  CHECK(r.remaining() == 1);
}

TEST_CASE("a response header ends with tagged fields in flexible versions, but not that of ApiVersions") {
  auto header = [](int16_t key, bool flexible) {
    Writer w;
    begin_response(w, {key, 3, 0x01020304, {}}, flexible);
    end_response(w);
    return hex(w.flat());
  };
  CHECK(header(3, false) == "0000000401020304");
  CHECK(header(3, true) == "000000050102030400");
  CHECK(header(18, true) == "0000000401020304");
}
