#include "codec/compression.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "support/compress.h"

using namespace topicfs;
using namespace topicfs::testing;

namespace {

constexpr Codec kCodecs[] = {Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};
constexpr uint64_t kNoLimit = uint64_t{1} << 40;

struct Decoded {
  std::string text;
  size_t largest_window = 0;
  Result<void> result;
};

Decoded decode(Codec codec, std::vector<ByteSpan> input, uint64_t limit = kNoLimit) {
  Decoded d;
  d.result = decompress(codec, PiecesSource(input), limit, [&](ByteSpan window) {
    d.text += as_text(window);
    d.largest_window = std::max(d.largest_window, window.size());
    return Flow::go_on;
  });
  return d;
}
Decoded decode(Codec codec, std::string_view input, uint64_t limit = kNoLimit) {
  return decode(codec, std::vector{as_byte_span(input)}, limit);
}

std::string half_random_text(size_t size) {
  std::mt19937 random(7);
  std::string text;
  while (text.size() < size) text += std::to_string(random() % 5000) + (random() % 9 ? " and " : "\n");
  text.resize(size);
  return text;
}

}  // namespace

TEST_CASE("every codec gives back what was compressed, in bounded windows, whatever the pieces") {
  for (size_t size : {0u, 1u, 100u, 65536u, 65537u, 1'000'000u}) {
    const std::string text = half_random_text(size);
    for (Codec codec : kCodecs) {
      CAPTURE(name_of(codec));
      const std::string packed = compress(codec, text);
      Decoded whole = decode(codec, packed);
      CHECK(whole.result.has_value());
      CHECK(whole.text == text);
      CHECK(whole.largest_window <= kDecompressWindowBytes);
      std::vector<ByteSpan> pieces;
      for (size_t at = 0; at < packed.size(); at += 1 + at % 777)
        pieces.push_back(as_byte_span(packed).subspan(at, std::min(1 + at % 777, packed.size() - at)));
      CHECK(decode(codec, pieces).text == text);
    }
  }
}

TEST_CASE("raw snappy is one window as large as its block") {
  const std::string text = half_random_text(300'000);
  Decoded d = decode(Codec::snappy, compress(Codec::snappy, text, SnappyForm::raw));
  CHECK(d.text == text);
  CHECK(d.largest_window == text.size());
}

TEST_CASE("a payload cut off anywhere is corrupt") {
  const std::string text = half_random_text(3000);
  for (Codec codec : kCodecs) {
    for (SnappyForm form : {SnappyForm::raw, SnappyForm::xerial}) {
      const std::string packed = compress(codec, text, form);
      for (size_t n = 0; n < packed.size(); ++n) {
        CAPTURE(name_of(codec));
        CAPTURE(n);
        Decoded d = decode(codec, std::string_view(packed).substr(0, n));
        // Xerial's framing has no end mark: behind its header or a block, the input may end.
        if (d.result)
          CHECK((codec == Codec::snappy && form == SnappyForm::xerial && n == 16));
        else
          CHECK(d.result.error().code == Errc::kCorrupt);
      }
    }
  }
}

TEST_CASE("bytes behind the payload are refused") {
  for (Codec codec : kCodecs) {
    CAPTURE(name_of(codec));
    Decoded d = decode(codec, compress(codec, "some text") + "garbage");
    CHECK(d.result.error().code == Errc::kCorrupt);
  }
}

TEST_CASE("gzip members and zstd frames in a row are one stream, lz4 frames are not") {
  auto twice = [](Codec c) { return decode(c, compress(c, "one, ") + compress(c, "two")); };
  CHECK(twice(Codec::gzip).text == "one, two");
  CHECK(twice(Codec::zstd).text == "one, two");
  CHECK(twice(Codec::lz4).result.error().code == Errc::kCorrupt);
}

TEST_CASE("a compression bomb stops at the limit") {
  const std::string zeroes(5'000'000, '\0');
  for (Codec codec : kCodecs) {
    CAPTURE(name_of(codec));
    Decoded d = decode(codec, compress(codec, zeroes), 1'000'000);
    CHECK(d.result.error().code == Errc::kTooLarge);
    CHECK(d.text.size() <= 1'000'000);
    CHECK(decode(codec, compress(codec, zeroes), zeroes.size()).result.has_value());
    CHECK_FALSE(decode(codec, compress(codec, zeroes), zeroes.size() - 1).result.has_value());
  }
  const std::string block(kMaxSnappyBlockBytes + 1, '\0');
  CHECK(decode(Codec::snappy, compress(Codec::snappy, block, SnappyForm::raw)).result.error().code ==
        Errc::kTooLarge);
}

TEST_CASE("raw snappy that claims an impossible length is refused before memory is taken") {
  CHECK(decode(Codec::snappy,
               "\xff\xff\xff\x0f"
               "abc")
            .result.error()
            .code == Errc::kCorrupt);
}

TEST_CASE("the sink can stop") {
  int windows = 0;
  const std::string packed = compress(Codec::zstd, half_random_text(1'000'000));
  const std::vector<ByteSpan> input{as_byte_span(packed)};
  CHECK(decompress(Codec::zstd, PiecesSource(input), kNoLimit, [&](ByteSpan) {
          return ++windows == 2 ? Flow::stop : Flow::go_on;
        }).has_value());
  CHECK(windows == 2);
}

TEST_CASE("flipped bits decode to something or fail, and never crash") {
  const std::string text = half_random_text(500);
  for (Codec codec : kCodecs) {
    for (SnappyForm form : {SnappyForm::raw, SnappyForm::xerial}) {
      const std::string packed = compress(codec, text, form);
      size_t refused = 0;
      for (size_t bit = 0; bit < packed.size() * 8; ++bit) {
        std::string damaged = packed;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        refused += !decode(codec, damaged, 1 << 20).result.has_value();
      }
      CHECK(refused > 0);
    }
  }
}
