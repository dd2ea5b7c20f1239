#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <vector>

#include "codec/base64.h"
#include "codec/crc32c.h"
#include "codec/endian.h"
#include "codec/varint.h"

using namespace topicfs;

namespace {

template <class I>
std::vector<uint8_t> encoded(I value) {
  std::byte bytes[kMaxVarlongBytes];
  const std::byte* end = encode_varint(bytes, value);
  std::vector<uint8_t> out;
  for (const std::byte* p = bytes; p != end; ++p) out.push_back(static_cast<uint8_t>(*p));
  return out;
}

template <class I>
bool survives(I value) {
  std::byte bytes[kMaxVarlongBytes];
  const std::byte* end = encode_varint(bytes, value);
  I back = 0;
  return static_cast<size_t>(end - bytes) == varint_size(value) && decode_varint(bytes, end, back) == end &&
         back == value && decode_varint(bytes, end - 1, back) == nullptr;
}

template <class U>
bool decodes(std::vector<uint8_t> bytes) {
  U value;
  auto* p = reinterpret_cast<const std::byte*>(bytes.data());
  return decode_uvarint(p, p + bytes.size(), value) != nullptr;
}

}  // namespace

TEST_CASE("big-endian integers stand in memory most significant byte first") {
  std::array<std::byte, 9> bytes{};
  store_be(bytes.data() + 1, int32_t{-2});
  CHECK(bytes[0] == std::byte{0});
  CHECK(bytes[1] == std::byte{0xff});
  CHECK(bytes[4] == std::byte{0xfe});
  CHECK(load_be<int32_t>(bytes.data() + 1) == -2);
  store_be(bytes.data() + 1, uint64_t{0x0102030405060708});
  CHECK(bytes[1] == std::byte{1});
  CHECK(load_be<uint16_t>(bytes.data() + 7) == 0x0708);
  CHECK(load_be<int8_t>(bytes.data() + 8) == 8);
}

TEST_CASE("varints have the bytes that Kafka's documentation gives") {
  CHECK(encoded(0) == std::vector<uint8_t>{0x00});
  CHECK(encoded(-1) == std::vector<uint8_t>{0x01});
  CHECK(encoded(1) == std::vector<uint8_t>{0x02});
  CHECK(encoded(-64) == std::vector<uint8_t>{0x7f});
  CHECK(encoded(64) == std::vector<uint8_t>{0x80, 0x01});
  CHECK(encoded(std::numeric_limits<int32_t>::max()) == std::vector<uint8_t>{0xfe, 0xff, 0xff, 0xff, 0x0f});
  CHECK(encoded(std::numeric_limits<int32_t>::min()) == std::vector<uint8_t>{0xff, 0xff, 0xff, 0xff, 0x0f});
  CHECK(encoded(std::numeric_limits<int64_t>::min()).size() == 10);
}

TEST_CASE("every power of two and its neighbours survive as varint and varlong, and not cut off") {
  for (int bit = 0; bit < 63; ++bit) {
    for (int64_t near : {-1, 0, 1}) {
      const int64_t value = (int64_t{1} << bit) + near;
      CHECK(survives(value));
      CHECK(survives(-value));
      if (bit < 31) CHECK(survives(static_cast<int32_t>(value)));
    }
  }
  CHECK(survives(std::numeric_limits<int64_t>::min()));
  CHECK(survives(std::numeric_limits<int32_t>::min()));
}

TEST_CASE("a varint that is too long or does not fit is refused") {
  CHECK(decodes<uint32_t>({0xff, 0xff, 0xff, 0xff, 0x0f}));
  CHECK_FALSE(decodes<uint32_t>({0xff, 0xff, 0xff, 0xff, 0x1f}));
  CHECK_FALSE(decodes<uint32_t>({0x80, 0x80, 0x80, 0x80, 0x80, 0x00}));
  CHECK_FALSE(decodes<uint32_t>({}));
  CHECK(decodes<uint64_t>({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
  CHECK_FALSE(decodes<uint64_t>({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}));
  CHECK_FALSE(decodes<uint64_t>({0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}));
}

TEST_CASE("crc32c is Castagnoli's, continues over pieces, and combines") {
  const ByteSpan digits = as_byte_span("123456789");
  CHECK(crc32c(digits) == 0xe3069283);
  CHECK(crc32c(ByteSpan{}) == 0);
  // RFC 3720, B.4: 32 bytes of zeroes, and of ones.
  CHECK(crc32c(as_byte_span(std::string(32, '\0'))) == 0x8a9136aa);
  CHECK(crc32c(as_byte_span(std::string(32, '\xff'))) == 0x62a8ab43);
  for (size_t cut = 0; cut <= digits.size(); ++cut) {
    const uint32_t a = crc32c(digits.first(cut)), b = crc32c(digits.subspan(cut));
    CHECK(crc32c(digits.subspan(cut), a) == 0xe3069283);
    CHECK(crc32c_combine(a, b, digits.size() - cut) == 0xe3069283);
  }
}

TEST_CASE("crc32c_copy copies, and its checksum is that of the copy") {
  std::string from(100'003, 'x');
  for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<char>(i * 7);
  std::string to(from.size(), '\0');
  CHECK(crc32c_copy(reinterpret_cast<std::byte*>(to.data()), as_byte_span(from), 17) ==
        crc32c(as_byte_span(from), 17));
  CHECK(to == from);
}

TEST_CASE("base64 is RFC 4648's, and only what it writes is read") {
  const char* pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe", "//4="}};
  for (auto& [bytes, text] : pairs) {
    CHECK(to_base64(bytes) == text);
    CHECK(from_base64(text) == bytes);
  }
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zm9=", "Zm 9", "Zg==Zg=="}) CHECK_FALSE(from_base64(bad));
}
